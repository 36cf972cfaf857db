package tree

import (
	"iter"
	"math"
)

// Depths for EncodeGet.
const (
	// Shallow shows the children of a directory.
	Shallow = 1
	// Deep shows all nodes below a directory.
	Deep = math.MaxInt
)

// View is the tree after one batch. It never changes, so any goroutine may read it
// without a lock, for as long as it takes.
type View struct {
	root     *Node
	index    uint64
	oldest   uint64 // the index of the oldest event in the history
	nodes    int64
	bytes    int64
	due      int64 // see NextExpiry
	counters Counters
}

// Index is the index of the last change.
func (v *View) Index() uint64 { return v.index }

// OldestEvent is the index of the oldest event that the history held after the batch.
func (v *View) OldestEvent() uint64 { return v.oldest }

// Nodes is the number of files and directories without the root.
func (v *View) Nodes() int64 { return v.nodes }

// Bytes is the total length of all paths and values.
func (v *View) Bytes() int64 { return v.bytes }

// NextExpiry is the time at which the next TTL ends, in nanoseconds since 1970; zero if
// no node has a TTL.
func (v *View) NextExpiry() int64 { return v.due }

// Counters are the numbers of commands since the cluster was founded, by outcome.
func (v *View) Counters() Counters { return v.counters }

// Lookup returns the node at a clean path, or nil.
func (v *View) Lookup(path string) *Node {
	n, err := find(v.root, path)
	if err != nil {
		return nil
	}
	return n
}

// Get returns the node at a clean path, or an *Error about the first directory on the
// way that is missing or not a directory.
func (v *View) Get(path string) (*Node, error) {
	n, err := find(v.root, path)
	if err != nil {
		err.Index = v.index
		return nil, err
	}
	return n, nil
}

// find returns the node at a path below root. Its errors have no index.
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

// descend visits all nodes below n, in the order of Walk, until yield returns false. It
// reports whether it visited all.
func descend(n *Node, yield func(*Node) bool) bool {
	d := n.directory()
	if d == nil {
		return true
	}
	return d.children.Scan(func(child *Node) bool { return yield(child) && descend(child, yield) })
}
