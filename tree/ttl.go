package tree

import (
	"strings"

	"github.com/tidwall/btree"
)

// expiry is the time at which a node must be removed. The zero value stands for none.
type expiry struct {
	at   int64 // nanoseconds since 1970
	path string
}

func (e expiry) isZero() bool { return e.at == 0 }

// expiry returns the expiry of the node itself. It is zero if the node has no TTL.
func (n *Node) expiry() expiry {
	at := n.Expires()
	if at == 0 {
		return expiry{}
	}
	return expiry{at, n.Path()}
}

// shadowedExpiry returns the expiry of the shadowed file of a directory. Its path ends with a slash, so that it differs from the expiry of
// the directory. It is zero if there is no such file, or if the file has no TTL.
func (n *Node) shadowedExpiry() expiry {
	file := n.Shadowed()
	if file == nil || file.Expires() == 0 {
		return expiry{}
	}
	return expiry{file.Expires(), file.Path() + "/"}
}

// expiries is a set of expiries, ordered by time and then by path, so that all members
// remove nodes in the same order.
type expiries = btree.BTreeG[expiry]

func earlier(a, b expiry) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	return a.path < b.path
}

// firstDue returns the first expiry of all nodes below the directory, or zero.
func (d *directory) firstDue() expiry {
	if d.due == nil {
		return expiry{}
	}
	e, _ := d.due.Min()
	return e
}

// reschedule replaces the expiry old by added in due. Either may be zero.
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

// nextDue returns the expiry of the next node that expire removes, or zero. In a tree that follows an etcd
// no TTL ends here: nodes expire in the source.
func (s *Store) nextDue() expiry {
	if s.follows() {
		return expiry{}
	}
	return s.root.directory().firstDue()
}

// expire removes at most ExpireLimit nodes whose TTL has ended at the time of the batch, in
// the order of their expiries.
func (s *Store) expire() {
	for range ExpireLimit {
		e := s.nextDue()
		if e.isZero() || e.at > s.now {
			return
		}
		if key, shadowed := strings.CutSuffix(e.path, "/"); shadowed {
			s.expireShadowed(key)
		} else {
			n, _ := find(s.root, e.path) // never fails: the expiry is removed together with the node
			s.remove(ActionExpire, n)
		}
		s.counters.Expired++
	}
}

// expireShadowed removes the shadowed file of a directory, and emits the event.
func (s *Store) expireShadowed(key string) {
	n := s.deleteKey(key)
	s.emit(&Event{action: ActionExpire, v3Only: true, prev: n, node: tombstone(n, s.nextNumbers(n))}, nil)
}
