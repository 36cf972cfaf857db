package tree

import "github.com/tidwall/btree"

// expiry is the entry of one node with a TTL; none if at is zero.
type expiry struct {
	at   int64 // nanoseconds since 1970
	path string
}

func (e expiry) none() bool { return e.at == 0 }

// expiry is the node's own entry.
func (n *Node) expiry() expiry {
	if n.expires == 0 {
		return expiry{}
	}
	return expiry{n.expires, n.Path()}
}

// expiries holds entries in the order in which they fall due; those of the same
// moment in the order of their paths, so that every member expires them alike.
type expiries = btree.BTreeG[expiry]

func earlier(a, b expiry) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	return a.path < b.path
}

// firstDue is the entry that falls due first, of all below the directory.
func (d *directory) firstDue() expiry {
	if d.due == nil {
		return expiry{}
	}
	e, _ := d.due.Min()
	return e
}

// reschedule puts an entry in the place of another; either may be none.
func (d *directory) reschedule(old, come expiry) {
	if d.due == nil {
		d.due = btree.NewBTreeGOptions(earlier, btree.Options{NoLocks: true})
	}
	if !old.none() {
		d.due.Delete(old)
	}
	if !come.none() {
		d.due.Set(come)
	}
	if d.due.Len() == 0 {
		d.due = nil
	}
}

// expire removes what is due at the time of the batch, in the order of expiry.
func (s *Store) expire() {
	for range ExpireLimit {
		e := s.root.directory().firstDue()
		if e.none() || e.at > s.now {
			return
		}
		n, _ := find(s.root, e.path) // it is there: a node's entry goes with the node
		s.remove(ActionExpire, n)
		s.counters.Expired++
	}
}
