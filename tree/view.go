package tree

import (
	"iter"
	"math"
)

// How far a listing goes down.
const (
	// Shallow shows the children of a directory.
	Shallow = 1
	// Deep shows all that lies below a directory.
	Deep = math.MaxInt
)

// View is the tree at one moment. It never changes, so reading it takes no
// lock, however long the reading takes.
type View struct {
	root     *Node
	index    uint64
	oldest   uint64 // the oldest event that the history held
	nodes    int64
	bytes    int64
	due      int64
	counters Counters
}

// Index is the index of the last change.
func (v *View) Index() uint64 { return v.index }

// OldestEvent is the index of the oldest event that the history still holds.
func (v *View) OldestEvent() uint64 { return v.oldest }

// Nodes is the number of files and directories, the root not counted.
func (v *View) Nodes() int64 { return v.nodes }

// Bytes is the size of all paths and values together.
func (v *View) Bytes() int64 { return v.bytes }

// NextExpiry is when the earliest TTL falls due, in nanoseconds since 1970;
// zero when no node has one.
func (v *View) NextExpiry() int64 { return v.due }

// Counters tells how often each kind of change was asked for.
func (v *View) Counters() Counters { return v.counters }

// Lookup gives the node at a clean path, or nil.
func (v *View) Lookup(path string) *Node {
	n, err := find(v.root, path)
	if err != nil {
		return nil
	}
	return n
}

// Get gives the node at a clean path, or an *Error that names the first
// component that is missing or no directory.
func (v *View) Get(path string) (*Node, error) {
	n, err := find(v.root, path)
	if err != nil {
		err.Index = v.index
		return nil, err
	}
	return n, nil
}

// AppendGet appends the answer to a read of n; see EncodeGet.
func AppendGet(dst []byte, n *Node, now int64, depth int) []byte {
	return EncodeGet(n, now, depth).Append(dst)
}

// find walks from root down to path. Its errors carry no index yet.
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

// Walk gives all nodes below the root: a directory, all below it, the next.
func (v *View) Walk() iter.Seq[*Node] {
	return func(yield func(*Node) bool) { descend(v.root, yield) }
}

// descend visits all nodes below n until yield returns false, and reports
// whether it came to the end.
func descend(n *Node, yield func(*Node) bool) bool {
	d := n.directory()
	if d == nil {
		return true
	}
	return d.children.Scan(func(child *Node) bool { return yield(child) && descend(child, yield) })
}
