package tree

import (
	"iter"
	"math"

	"pando/tree/users"
)

// Depths for EncodeGet.
const (
	// Shallow shows the children of a directory.
	Shallow = 1
	// Deep shows all nodes below a directory.
	Deep = math.MaxInt
)

// View is the tree after one batch. It never changes, so any goroutine may read it without
// a lock, and may keep it.
type View struct {
	root      *Node
	plain     *plainKeys
	index     uint64
	revisions revisions
	oldest    uint64 // the index of the oldest event in the history
	due       int64  // the time of the next expiry; see NextExpiry
	counters  Counters
	users     *users.State
	mirrored  *mirrored // nil if the cluster has never followed an etcd
	leases    *leases

	keyHistory   keyHistory
	historyBytes int64  // see HistoryBytes
	partial      uint64 // the index of the last event that is not whole
}

// Index returns the index of the last change.
func (v *View) Index() uint64 { return v.index }

// OldestEvent returns the index of the oldest event in the history after the batch.
func (v *View) OldestEvent() uint64 { return v.oldest }

// Events returns the number of events in the history after the batch.
func (v *View) Events() uint64 {
	n := v.index + 1 - v.oldest
	if v.mirrored != nil && v.oldest <= v.mirrored.skipped.last {
		n -= v.mirrored.skipped.len()
	}
	return n
}

// Nodes returns the number of files and directories that v2 shows, without the root.
func (v *View) Nodes() int64 { return int64(v.root.directory().nodes) }

// Bytes returns the total length of all paths, keys and values.
func (v *View) Bytes() int64 { return v.root.directory().bytes + v.plain.bytes }

// NextExpiry returns the time at which the next TTL ends, in nanoseconds since 1970. It is
// zero if no node has a TTL, or if the tree follows an etcd.
func (v *View) NextExpiry() int64 { return v.due }

// Counters returns the numbers of commands since the cluster was founded.
func (v *View) Counters() Counters { return v.counters }

// Users returns the users, the roles and the auth switch. The result is never nil.
func (v *View) Users() *users.State { return v.users }

// Mirror returns what is known about the etcd that the cluster follows. It is nil if the cluster follows none. The result must not be
// changed.
func (v *View) Mirror() *Mirror {
	if v.mirrored == nil {
		return nil
	}
	return v.mirrored.mirror
}

// Lookup returns the node at a path, or nil if there is none. The path must be valid.
func (v *View) Lookup(path string) *Node {
	n, err := find(v.root, path)
	if err != nil {
		return nil
	}
	return n
}

// Get returns the node at a path, which must be valid. If there is none, it returns an
// *Error. Its Cause is the first path that is missing or is not a directory.
func (v *View) Get(path string) (*Node, error) {
	n, err := find(v.root, path)
	if err != nil {
		err.Index = v.index
		return nil, err
	}
	return n, nil
}

// find returns the node at a path relative to root. Its errors are those of View.Get, but
// without an index.
func find(root *Node, path string) (*Node, *Error) {
	if path == "/" {
		return root, nil
	}
	at := root
	for end := 0; end < len(path); {
		start := end + 1
		name, _, _ := cutName(path[start:])
		end = start + len(name)
		if !at.IsDir() {
			return nil, NewError(CodeNotDir, at.Path())
		}
		child := at.directory().children.Get(name)
		if child == nil {
			return nil, NewError(CodeKeyNotFound, path[:end])
		}
		at = child
	}
	return at, nil
}

// Walk visits all nodes below the root, hidden ones included: a directory, all nodes
// below it, and then its next sibling.
func (v *View) Walk() iter.Seq[*Node] {
	return func(yield func(*Node) bool) { descend(v.root, yield) }
}

// descend visits all nodes below n in the order of Walk. It stops and returns false if
// yield returns false.
func descend(n *Node, yield func(*Node) bool) bool {
	d := n.directory()
	if d == nil {
		return true
	}
	return d.children.Scan(func(child *Node) bool { return yield(child) && descend(child, yield) })
}
