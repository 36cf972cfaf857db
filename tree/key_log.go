package tree

import (
	"cmp"
	"iter"
	"slices"
)

// KeyLog has the changes of keys that etcd would store for the state of a view: all changes after the compact revision, and of the changes
// up to it the last one of each key that existed then. It never changes, so any goroutine may read it. While it is referenced, the events
// and the nodes that they have removed stay in memory.
type KeyLog struct {
	view   *View
	events EventList // those from the compact revision on
	// compacted and floor are the results of CompactRevision and Floor.
	compacted, floor uint64
}

// KeyRecord is a change of one key.
type KeyRecord struct {
	// Revision is the revision of the change, and Sub its number among the changes of this revision, from 0. The removal of a directory
	// is one change for each key.
	Revision, Sub uint64
	// Node is the file after the change. For a deletion only its key is valid.
	Node    *Node
	Deleted bool
}

// KeyLog returns the log of the current view. Any goroutine may call it.
func (s *Store) KeyLog() *KeyLog {
	for {
		if l := s.keyLog(s.View()); l != nil {
			return l
		}
	}
}

// keyLog returns the log of a view, or nil if the history has dropped events that the view still had.
func (s *Store) keyLog(v *View) *KeyLog {
	l := &KeyLog{view: v, compacted: v.keyHistory.compacted}
	if v.keyHistory.from == 0 {
		l.floor = v.Revision() // the history of v2 is not the same on all members
		return l
	}
	h := s.history
	first := h.next(max(v.keyHistory.from, firstIndex+1))
	if l.compacted > 0 {
		first = max(first, h.firstWithRevision(l.compacted, first, v.index))
	}
	var ok bool
	if l.events, ok = h.list(first, v.index); !ok {
		return nil
	}
	l.floor = v.Revision()
	for e := range l.events.All() {
		if e.action != ActionAuth {
			l.floor = e.Revision() - 1
			break
		}
	}
	l.floor = max(l.floor, l.compacted)
	return l
}

// View returns the view from which the log was made.
func (l *KeyLog) View() *View { return l.view }

// Floor returns the floor of the log: the log has all changes of later revisions. The floor is the compact revision, or the revision before
// the first command of the v3 API if that is greater.
func (l *KeyLog) Floor() uint64 { return l.floor }

// IsComplete reports whether the log has all changes since the first one: nothing was compacted.
func (l *KeyLog) IsComplete() bool { return l.compacted == 0 && l.floor <= 1 }

// CompactRevision returns the revision of the last compaction, or zero if there was none.
func (l *KeyLog) CompactRevision() uint64 { return l.compacted }

// Living visits the last change of each key that existed at a revision, in the order of the changes. It leaves out changes after the floor.
// The revision must not be below the floor. Living sorts the keys, and needs 16 bytes of memory for each.
func (l *KeyLog) Living(revision uint64) iter.Seq[KeyRecord] {
	return func(yield func(KeyRecord) bool) {
		living := l.livingAt(revision)
		slices.SortFunc(living, func(a, b orderedNode) int {
			if a.order != b.order {
				return cmp.Compare(a.order, b.order)
			}
			return cmp.Compare(a.node.ModifiedIndex(), b.node.ModifiedIndex())
		})
		last := KeyRecord{}
		for _, one := range living {
			r := KeyRecord{Revision: one.node.ModRevision(), Sub: one.node.Sub(), Node: one.node}
			if r.Revision == last.Revision && last.Node != nil {
				r.Sub = max(r.Sub, last.Sub+1) // the node does not have the number of a change beyond maxSub
			}
			if !yield(r) {
				return
			}
			last = r
		}
	}
}

// orderedNode is a file with the order of its last change.
type orderedNode struct {
	order uint64 // the revision of the change, and its sub in the low bits
	node  *Node
}

// HasKeys reports whether any key existed at a revision, which must not be before the floor.
func (l *KeyLog) HasKeys(revision uint64) bool {
	for n := range l.at(revision) {
		if n.ModRevision() <= revision {
			return true
		}
	}
	return false
}

// livingAt returns the files that existed at a revision and have not changed since the floor.
func (l *KeyLog) livingAt(revision uint64) []orderedNode {
	var living []orderedNode
	for n := range l.at(revision) {
		if n.ModRevision() <= l.floor {
			living = append(living, orderedNode{n.ModRevision()*(maxSub+1) + n.Sub(), n})
		}
	}
	return living
}

// at visits the files that existed at a revision, in any order, and also later states of them. If a file has changed after the revision,
// its state at the revision is the Prev in the event of the first such change.
func (l *KeyLog) at(revision uint64) iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		for n := range l.view.Keys(KeyRange{}) {
			if !yield(n) {
				return
			}
		}
		for e := range l.events.after(revision) {
			if _, changesKey := e.key(); changesKey {
				if prev := e.keyEvent().Prev; prev != nil && !yield(prev) {
					return
				}
			} else if e.removesDir() {
				for n := range filesBelow(e.prev) {
					if !yield(n) {
						return
					}
				}
			}
		}
	}
}

// Changes visits the changes after the revision from and up to the revision to, in their order. from must not be below the floor. If the
// floor is the compact revision, from may be the revision before it: the history keeps the changes of the compact revision, too.
func (l *KeyLog) Changes(from, to uint64) iter.Seq[KeyRecord] {
	return func(yield func(KeyRecord) bool) {
		c := changeCounter{yield: yield}
		for e := range l.events.after(from) {
			if e.Revision() > to || !c.visit(e) {
				return
			}
		}
	}
}

// changeCounter numbers the changes of each revision.
type changeCounter struct {
	yield func(KeyRecord) bool
	next  KeyRecord // its Revision and Sub are those of the next change
}

// visit yields the changes of an event. It returns false if yield has returned false.
func (c *changeCounter) visit(e *Event) (more bool) {
	if e.Revision() != c.next.Revision {
		c.next = KeyRecord{Revision: e.Revision()}
	}
	if _, ok := e.key(); ok {
		k := e.keyEvent()
		return c.emit(k.Node, k.Deleted)
	}
	if e.removesDir() {
		for n := range filesBelow(e.prev) {
			if !c.emit(n, true) {
				return false
			}
		}
	}
	return true
}

func (c *changeCounter) emit(n *Node, deleted bool) (more bool) {
	r := c.next
	r.Node, r.Deleted = n, deleted
	c.next.Sub++
	return c.yield(r)
}
