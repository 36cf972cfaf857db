package tree

import "github.com/tidwall/btree"

// expiry is the entry of one node with a TTL.
type expiry struct {
	at   int64 // nanoseconds since 1970
	path string
}

// expiries holds the nodes with a TTL in the order in which they fall due;
// those of the same moment in the order of their paths, so that every member
// expires them alike.
type expiries struct {
	due *btree.BTreeG[expiry]
}

func earlier(a, b expiry) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	return a.path < b.path
}

func (x *expiries) add(n *Node) {
	if n.expires == 0 {
		return
	}
	if x.due == nil {
		x.due = btree.NewBTreeGOptions(earlier, btree.Options{NoLocks: true})
	}
	x.due.Set(expiry{n.expires, n.Path()})
}

func (x *expiries) remove(n *Node) {
	if n.expires != 0 {
		x.due.Delete(expiry{n.expires, n.Path()})
	}
}

// first is the entry that falls due first.
func (x *expiries) first() (expiry, bool) {
	if x.due == nil {
		return expiry{}, false
	}
	return x.due.Min()
}

// next is when the first entry falls due; zero when there is none.
func (x *expiries) next() int64 {
	e, _ := x.first()
	return e.at
}

// expire removes what is due at the time of the batch, in the order of expiry.
func (s *Store) expire() {
	for range ExpireLimit {
		e, ok := s.expiries.first()
		if !ok || e.at > s.now {
			return
		}
		n, err := find(s.root, e.path)
		if err != nil { // cannot be: every removal clears its entries
			s.expiries.due.Delete(e)
			continue
		}
		s.remove(ActionExpire, n)
		s.counters.Expired++
	}
}
