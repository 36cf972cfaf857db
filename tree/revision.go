package tree

// KVLevel is the lowest feature level of a cluster at which the tree counts revisions. Programs of lower levels can't read what is
// stored for them.
const KVLevel = 5

// revisions counts the changes of the tree as the v3 API does. Before StartRevisions the revision of the tree is its index, and the
// revisions of a node are its indexes. From then on each change of the tree adds one revision, but all operations of an OpTxn together add
// one, and a change of users adds none. So the revision is never larger than the index.
//
// A tree that follows an etcd does not count, because the source has no revisions. It begins to count when it takes over.
type revisions struct {
	started bool   // StartRevisions was called
	counts  bool   // started, and the tree follows no etcd
	last    uint64 // the revision of the tree, if it counts
	// changes is the number of changes of the transaction that is being executed. All but the first have the revision of the first.
	changes uint64
}

// StartRevisions makes the tree count revisions from the next change on, or, if the tree follows an etcd, from the end of the mirror on.
// Only the applying goroutine may call it, when the cluster has reached KVLevel: all members must call it at the same place of the log.
// It does nothing if it was called before.
func (s *Store) StartRevisions() {
	if s.revisions.started {
		return
	}
	s.revisions.started = true
	s.startCounting()
	s.publish()
}

// startCounting begins to count revisions if StartRevisions was called and the tree follows no etcd.
func (s *Store) startCounting() {
	r := &s.revisions
	if r.started && !r.counts && !s.follows() {
		r.counts, r.last = true, s.index
	}
}

// RevisionsStarted reports whether StartRevisions was called. Programs below KVLevel can't read the stored form of the view then.
func (v *View) RevisionsStarted() bool { return v.revisions.started }

// Revision returns the revision of the last change that has one. It is the index if the tree does not count revisions.
func (v *View) Revision() uint64 {
	if v.revisions.counts {
		return v.revisions.last
	}
	return v.index
}

// nextRevision returns the revision that the next change has.
func (s *Store) nextRevision() uint64 {
	if s.revisions.changes > 0 {
		return s.revisions.last
	}
	return s.revisions.last + 1
}

// countRevision adds the revision of a change. The changes of a transaction add one together.
func (s *Store) countRevision() {
	r := &s.revisions
	if !r.counts {
		return
	}
	r.last = s.nextRevision()
	if s.inTxn {
		r.changes++
	}
}

// beginTxn must be called before a transaction, and endTxn after it.
func (s *Store) beginTxn() { s.inTxn = true }

func (s *Store) endTxn() { s.inTxn, s.revisions.changes = false, 0 }

// newNumbers returns the numbers of a node that the next change makes. index is the index of that change. In a tree that follows an etcd
// the index may be another one.
func (s *Store) newNumbers(index uint64) numbers {
	if !s.revisions.counts {
		return uncounted(index, index)
	}
	revision := s.nextRevision()
	return numbers{
		created: index, modified: index, createRevision: revision, modRevision: revision, version: 1, sub: s.revisions.changes,
	}
}

// nextNumbers returns the numbers of a node that replaces prev, or of the node that the event of the removal of prev shows, both with
// the next change.
func (s *Store) nextNumbers(prev *Node) numbers {
	if !s.revisions.counts {
		return uncounted(prev.CreatedIndex(), s.index+1)
	}
	return numbers{
		created: prev.CreatedIndex(), modified: s.index + 1,
		createRevision: prev.CreateRevision(), modRevision: s.nextRevision(), version: prev.nextVersion(), sub: s.revisions.changes,
	}
}

// silentNumbers returns the numbers of the node of the next event if the change has an index, but no revision.
func (s *Store) silentNumbers() numbers {
	c := numbers{modified: s.index + 1, modRevision: s.index + 1}
	if s.revisions.counts {
		c.modRevision, c.version = s.revisions.last, 1
	}
	return c
}

// numbers returns the numbers of the node for the removal of n, a node below the directory that the event removes.
func (e *Event) numbers(n *Node) numbers {
	c := numbers{
		created: n.CreatedIndex(), modified: e.Index(), createRevision: n.CreateRevision(), modRevision: e.node.ModRevision(),
	}
	if e.node.storedVersion() != 0 {
		c.version = n.nextVersion()
	}
	return c
}
