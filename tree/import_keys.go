package tree

import (
	"errors"
	"fmt"
	"slices"
)

// KeyFields is a change of a key of another program's store with etcd's v3 API. A deletion has the key, the ModRevision and the Sub alone.
type KeyFields struct {
	Key, Value string

	CreateRevision, ModRevision, Version uint64
	// Sub is the number of changes that the transaction has made before this one.
	Sub     uint64
	Lease   int64
	Deleted bool
}

// KeyImporter adds the v3 keys of another program's store, with their history, to a store that was just loaded. The caller must call Lease
// for each lease, then Add for each change in the order of the revisions, and then Finish. No other goroutine may use the store before
// Finish has returned. For content that no store can have, the methods return an error that wraps ErrBadState. The store must not be used
// after an error.
//
// The revisions, the versions and the leases of the keys stay. The indexes are new ones: the index of a change before the compact revision
// is its revision. From the compact revision on each change takes the next index, so that the index of a change is its revision until a
// transaction has made several changes. If the store has data of v2, the indexes from the compact revision on come after those of v2.
type KeyImporter struct {
	store     *Store
	v2        *View  // the tree before, to find clashes; nil if it has no nodes
	index     uint64 // the index of the tree before
	compacted uint64
	last      Revision
	base      bool // addBase was called
	began     bool // begin was called
	clashes   Clashes
}

// Revision is the position of a change: its revision, and the number of the changes before it in the same revision.
type Revision struct{ Main, Sub uint64 }

// Clashes are keys of the v3 API that can't lie beside the keys of v2.
type Clashes struct {
	// Keys are the first clashing keys, at most maxClashes, in the order of their revisions.
	Keys []string
	// Changes is the number of changes of all clashing keys.
	Changes int
}

// maxClashes is the largest number of keys in Clashes.
const maxClashes = 5

// importBatch is the number of changes that are published at once.
const importBatch = 4096

// ImportKeys begins to import keys. compacted is the revision of the last compaction, or zero. The last argument of Loader.ImportRevisions
// must have been the result of ImportBase for it.
func (s *Store) ImportKeys(compacted uint64) (*KeyImporter, error) {
	if compacted > maxSourceIndex {
		return nil, fmt.Errorf("%w: the compact revision is %d", ErrBadState, compacted)
	}
	k := &KeyImporter{store: s, index: s.index, compacted: compacted}
	if v := s.View(); v.Nodes() > 0 {
		k.v2 = v
	}
	s.epoch++
	s.revisions = revisions{started: true, counts: true, last: ImportBase(compacted)}
	s.keyHistory = keyHistory{compacted: compacted}
	return k, nil
}

// ImportBase returns the revision of all that is older than the history that begins with the revision of a compaction.
func ImportBase(compacted uint64) uint64 { return max(compacted, firstIndex+1) - 1 }

// Lease adds a lease.
func (k *KeyImporter) Lease(l Lease) error {
	switch {
	case l.ID == 0 || l.TTL < 1 || l.TTL > MaxLeaseTTL:
		return fmt.Errorf("%w: %s has a TTL of %d s", ErrBadState, leaseCause(l.ID), l.TTL)
	case k.store.leases.get(l.ID) != nil:
		return fmt.Errorf("%w: %s is there twice", ErrBadState, leaseCause(l.ID))
	}
	k.store.mutableLeases().Insert(newLeaseItem(l))
	return nil
}

// Add adds a change. The importer keeps none of its texts. After a clash with the keys of v2 it only looks for more clashes.
func (k *KeyImporter) Add(f *KeyFields) error {
	at := Revision{f.ModRevision, f.Sub}
	if err := f.check(k.last); err != nil {
		return fmt.Errorf("%w: key %.64q at revision %d: %w", ErrBadState, f.Key, f.ModRevision, err)
	}
	k.last = at
	if k.FindClash(f.Key); k.clashes.Changes > 0 {
		return nil
	}
	if f.ModRevision < k.compacted || f.ModRevision == firstIndex {
		k.addBase(f)
		return nil
	}
	if err := k.addChange(f); err != nil {
		return fmt.Errorf("%w: key %.64q at revision %d: %w", ErrBadState, f.Key, f.ModRevision, err)
	}
	return nil
}

// FindClash records a key that can't lie beside the keys of v2: v2 has a file at the same path, or in the place of a directory above it.
func (k *KeyImporter) FindClash(key string) {
	if k.v2 == nil || !isPathKey(key) {
		return
	}
	at := k.v2.root
	for rest, more := key[1:], true; more; {
		var name string
		name, rest, more = cutName(rest)
		if at = at.directory().children.Get(name); at == nil {
			return
		}
		if !at.IsDir() {
			k.clashes.Changes++
			if len(k.clashes.Keys) < maxClashes && !slices.Contains(k.clashes.Keys, key) {
				k.clashes.Keys = append(k.clashes.Keys, key)
			}
			return
		}
	}
}

// OverlapsV2 reports whether keys of v2 lie in a range. etcd has two separate stores: a v3 request has neither read nor removed keys of v2.
func (k *KeyImporter) OverlapsV2(r KeyRange) bool { return k.v2 != nil && k.v2.CountKeys(r) > 0 }

// Clashes returns the clashes that were found so far. If there are any, the store is not complete.
func (k *KeyImporter) Clashes() Clashes { return k.clashes }

// check returns an error if no change after last can have the fields.
func (f *KeyFields) check(last Revision) error {
	switch c := (numbers{createRevision: f.CreateRevision, modRevision: f.ModRevision}); {
	case f.Key == "":
		return errors.New("the key is empty")
	case len(f.Key) > MaxKeyBytes:
		return fmt.Errorf("the key has %d bytes, but Pando stores keys of at most %d bytes", len(f.Key), MaxKeyBytes)
	case f.ModRevision > maxSourceIndex:
		return c.check()
	case f.ModRevision < firstIndex, f.ModRevision < last.Main, f.ModRevision == last.Main && f.Sub <= last.Sub:
		return fmt.Errorf("it comes after the revision %d.%d in the file", last.Main, last.Sub)
	case f.Deleted:
		return nil
	case f.CreateRevision < firstIndex || f.CreateRevision > f.ModRevision || f.Version == 0 || f.Version > maxVersion:
		return fmt.Errorf("the create revision is %d, the version %d", f.CreateRevision, f.Version)
	}
	return nil
}

// addBase adds a change before the compact revision, or of the revision 1, which makes no event. Etcd has no change of the revision 1. A
// snapshot that Pando has written for etcd has it for each key of v2 that was imported beside keys of v3.
func (k *KeyImporter) addBase(f *KeyFields) {
	s := k.store
	s.revisions.last = max(f.ModRevision-1, firstIndex)
	s.index = s.revisions.last
	k.base = true
	if f.Deleted {
		s.deleteKey(f.Key) // etcd was stopped before it had finished the compaction
	} else {
		k.put(f, numbers{created: f.CreateRevision, modified: f.ModRevision})
	}
	k.flush(importBatch)
}

// put stores the file of a change, and returns it with the one that it replaces. c has the indexes.
func (k *KeyImporter) put(f *KeyFields, c numbers) (n, prev *Node) {
	c.createRevision, c.modRevision, c.version, c.sub = f.CreateRevision, f.ModRevision, f.Version, f.Sub
	n = importedFile(f.Key, f.Value, f.Lease, c)
	prev = k.store.putKey(n)
	k.store.moveLease(prev, n)
	return n, prev
}

// importedFile returns a file that shares no memory with the texts.
func importedFile(key, value string, lease int64, c numbers) *Node {
	if !isSmall(key, len(value), 0, lease) {
		text := key + value
		key, value = text[:len(key)], text[len(key):]
	}
	return newNumberedFile(key, value, 0, lease, c)
}

// flush publishes the changes since the last call if there are at least as many as least says.
func (k *KeyImporter) flush(least int) {
	s := k.store
	if len(s.attachments) >= least {
		s.publishLeaseKeys()
	}
	if len(s.batch) >= least {
		s.publish()
		s.Announce()
	}
	if s.DirtyPaths() >= least {
		s.dirty = dirtyPaths{lastEvent: s.index, users: s.users} // TakeAll, which must follow, needs no paths
	}
}
