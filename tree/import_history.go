package tree

import "fmt"

// begin begins the history: with a change of the compact revision or a later one, or without any if first is nil.
func (k *KeyImporter) begin(first *KeyFields) {
	k.began = true
	s := k.store
	s.publishLeaseKeys()
	s.index = max(k.index, ImportBase(k.compacted))
	if k.base {
		s.index = max(s.index, firstIndex+1) // the history can't begin with the first event of a tree
	}
	s.revisions.last = ImportBase(k.compacted)
	k.skipIndexes()
	s.keyHistory.from = s.index + 1
	if k.compacted <= firstIndex || first != nil && first.ModRevision == k.compacted && first.Sub == 0 {
		return
	}
	// The compaction has removed the first changes of its revision, or all of them. A silent event takes their place.
	s.revisions.last = k.compacted
	node := newDir("/", noChildren)
	node.setNumbers(numbers{modified: s.index + 1, modRevision: k.compacted, version: 1, sub: restSub})
	s.appendEvent(0, &Event{action: ActionAuth, node: node}, nil)
}

// restSub is the Sub of the silent event that stands for changes of the first revision of an imported history. Other silent events have
// the Sub 0.
const restSub = 1

// beginsRevision reports whether all events of its revision that are left follow the event, or are the event itself.
func (e *Event) beginsRevision() bool {
	if e.action == ActionAuth {
		return e.node.Sub() == restSub
	}
	return e.node.Sub() == 0
}

// skipIndexes marks the indexes between those of v2 and the index of the tree as skipped.
func (k *KeyImporter) skipIndexes() {
	s := k.store
	switch {
	case s.index == k.index:
	case k.index == firstIndex: // there are no events of v2
		s.history.reset(s.index)
	default:
		skipped := indexRange{k.index + 1, s.index}
		s.mirrored = &mirrored{skipped: skipped}
		s.history.skipped.Store(&skipped)
	}
}

// addChange adds a change of the compact revision or a later one, with its event.
func (k *KeyImporter) addChange(f *KeyFields) error {
	if !k.began {
		k.begin(f)
	}
	s := k.store
	left := f.ModRevision == k.compacted // the compaction may have removed other changes of this revision
	switch {
	case left:
		s.inTxn, s.revisions.changes = true, f.Sub
	case f.ModRevision != s.revisions.last || !s.inTxn:
		s.endTxn()
		k.flush(importBatch)
		if err := k.fillGap(f.ModRevision); err != nil {
			return err
		}
		s.beginTxn()
	}
	if f.Sub != s.revisions.changes {
		return fmt.Errorf("its number in its revision is %d, but the change before it has the number %d", f.Sub, int64(s.revisions.changes)-1)
	}
	prev, v3Only := s.findKey(f.Key)
	if f.Deleted {
		if prev == nil && !left {
			return fmt.Errorf("it deletes a key that does not exist")
		}
		s.emit(&Event{action: ActionDelete, v3Only: v3Only, node: k.remove(f.Key, prev), prev: prev}, nil)
		return nil
	}
	if err := f.checkVersion(prev); err != nil && !left {
		return err
	}
	c := numbers{created: s.index + 1, modified: s.index + 1}
	switch {
	case f.CreateRevision == f.ModRevision:
	case prev != nil:
		c.created = prev.CreatedIndex()
	default:
		c.created = f.CreateRevision
	}
	action := ActionSet
	if f.Version > 1 {
		action = ActionUpdate
	}
	n, prev := k.put(f, c)
	s.emit(&Event{action: action, v3Only: v3Only, node: n, prev: prev}, nil)
	return nil
}

// maxGap is the largest number of consecutive revisions without a change of a key. A file of etcd has no such revisions. A snapshot that
// Pando has written for etcd has one for each directory that v2 has made or given a TTL. With its default size the history keeps fewer.
const maxGap = 1_000_000

// fillGap adds silent events for the revisions without a change before a revision.
func (k *KeyImporter) fillGap(revision uint64) error {
	s := k.store
	if revision <= s.revisions.last || revision-s.revisions.last > maxGap {
		return fmt.Errorf("the change before it has the revision %d; at most %d revisions in a row can have no key", s.revisions.last, maxGap)
	}
	for s.revisions.last+1 < revision {
		s.revisions.last++
		s.emitSilent()
		k.flush(importBatch)
	}
	return nil
}

// checkVersion returns an error if the change can't replace a file, which is nil for none. A file may also be replaced by a new one, with
// the version 1: a set of v2 in Pando does that.
func (f *KeyFields) checkVersion(prev *Node) error {
	created, version := f.ModRevision, uint64(1)
	if prev != nil && (f.CreateRevision != f.ModRevision || f.Version != 1) {
		created, version = prev.CreateRevision(), prev.nextVersion()
	}
	if f.CreateRevision != created || f.Version != version {
		return fmt.Errorf("the create revision is %d and the version %d, but by the changes before they are %d and %d",
			f.CreateRevision, f.Version, created, version)
	}
	return nil
}

// remove removes a key with its file, which is nil if a compaction has removed it. It returns the node of the event.
func (k *KeyImporter) remove(key string, file *Node) *Node {
	s := k.store
	if file == nil {
		shown := newFile(key, "", 0, 0)
		shown.setNumbers(s.newNumbers(s.index + 1))
		return shown
	}
	shown := tombstone(file, s.nextNumbers(file))
	s.deleteKey(key)
	return shown
}

// Finish makes the keys visible. It returns the number of keys whose lease does not exist: they were detached from it, as etcd never
// removes such a key.
func (k *KeyImporter) Finish() (detached int, err error) {
	if k.clashes.Changes > 0 {
		return 0, fmt.Errorf("%w: keys of v2 and v3 clash", ErrBadState)
	}
	if !k.began {
		k.begin(nil)
	}
	s := k.store
	s.endTxn()
	s.publishLeaseKeys()
	detached = k.detachLost()
	s.publish()
	s.Announce()
	s.dirty = dirtyPaths{lastEvent: s.index, users: s.users}
	return detached, nil
}

// detachLost detaches the keys that are attached to leases that do not exist. It makes no events.
func (k *KeyImporter) detachLost() int {
	s := k.store
	var lost []string
	s.leaseKeys.byLease.Scan(func(a *attachment) bool {
		if s.leases.byID.Get(a.name[:leaseNameBytes]) == nil {
			lost = append(lost, a.key())
		}
		return true
	})
	for _, key := range lost {
		old, _ := s.findKey(key)
		n := importedFile(key, old.Value(), 0, numbers{
			created: old.CreatedIndex(), modified: old.ModifiedIndex(), createRevision: old.CreateRevision(), modRevision: old.ModRevision(),
			version: old.Version(), sub: old.Sub(),
		})
		s.putKey(n)
		s.moveLease(old, n)
	}
	return len(lost)
}
