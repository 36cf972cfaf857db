package tree

import "github.com/tidwall/btree"

// expiry is the entry of a node with a TTL. The zero value stands for no entry.
type expiry struct {
	at   int64 // nanoseconds since 1970
	path string
}

func (e expiry) isZero() bool { return e.at == 0 }

// expiry is the entry of the node itself, without those of its children.
func (n *Node) expiry() expiry {
	if n.expires == 0 {
		return expiry{}
	}
	return expiry{n.expires, n.Path()}
}

// expiries holds entries in the order of their times, and those of the same time in the
// order of their paths, so that all members expire nodes in the same order.
type expiries = btree.BTreeG[expiry]

func earlier(a, b expiry) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	return a.path < b.path
}

// firstDue is the first entry of all nodes below the directory.
func (d *directory) firstDue() expiry {
	if d.due == nil {
		return expiry{}
	}
	e, _ := d.due.Min()
	return e
}

// reschedule replaces the entry old by added; either may be none.
func (d *directory) reschedule(old, added expiry) {
	if d.due == nil {
		d.due = btree.NewBTreeGOptions(earlier, btree.Options{NoLocks: true})
	}
	if !old.isZero() {
		d.due.Delete(old)
	}
	if !added.isZero() {
		d.due.Set(added)
	}
	if d.due.Len() == 0 {
		d.due = nil
	}
}

// expire removes the nodes whose TTL has ended at the time of the batch, in the order of
// their expiry, but not more than ExpireLimit.
func (s *Store) expire() {
	for range ExpireLimit {
		e := s.root.directory().firstDue()
		if e.isZero() || e.at > s.now {
			return
		}
		n, _ := find(s.root, e.path) // never fails: an entry is removed together with its node
		s.remove(ActionExpire, n)
		s.counters.Expired++
	}
}
