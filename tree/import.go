package tree

import (
	"fmt"
	"strings"

	"pando/tree/users"
)

// NodeFields is a node of another program's store.
type NodeFields struct {
	Path, Value       string
	Dir               bool
	Created, Modified uint64
	Expires           int64 // nanoseconds since 1970; zero for a permanent node
}

// EventFields is an event of another program's store. Time is the time of the change in nanoseconds since 1970, for which the event
// shows TTLs. An event of ActionAuth has the node "/", a directory.
type EventFields struct {
	Action  Action
	Refresh bool
	Time    int64
	Node    NodeFields
	Prev    *NodeFields // nil if there was no node before
}

// ImportState is State and Users for the content of another program's store.
func (l *Loader) ImportState(index uint64, c Counters, u *users.State) error {
	if index < firstIndex {
		return fmt.Errorf("%w: index %d", ErrBadState, index)
	}
	if index > maxSourceIndex {
		return fmt.Errorf("%w: the index %d of the store is above %d, the largest one that can be imported", ErrBadState, index, maxSourceIndex)
	}
	l.setIndex(index)
	l.store.counters, l.imported = c, u
	return nil
}

// ImportNode is Node for the content of another program's store. The nodes may also come in the order of View.Walk: a directory, all
// nodes below it in the order of their names, and then its next sibling.
func (l *Loader) ImportNode(f NodeFields) error {
	if f.Path == "/" || !ValidPath(f.Path) {
		return fmt.Errorf("%w: path %.64q", ErrBadState, f.Path)
	}
	if err := f.checkIndexes(); err != nil {
		return fmt.Errorf("%w: node %.64q: %w", ErrBadState, f.Path, err)
	}
	children := noChildren
	if f.Dir {
		children = newDirectory(f.Path, 0)
	}
	return l.add(f.Path, f.node(children))
}

// checkIndexes returns an error if a node can't have the indexes.
func (f *NodeFields) checkIndexes() error {
	c := uncounted(f.Created, f.Modified)
	return c.check()
}

// node returns the node. Its indexes must be valid: see checkIndexes. A directory has the children, a file has none.
func (f *NodeFields) node(children *directory) *Node {
	var n *Node
	if f.Dir {
		n = newDir(strings.Clone(f.Path), children)
		n.setExpires(f.Expires)
	} else {
		n = newFile(f.Path, f.Value, f.Expires, 0)
	}
	n.setNumbers(uncounted(f.Created, f.Modified))
	return n
}

// ImportEvent is Event for the content of another program's store.
func (l *Loader) ImportEvent(f EventFields) error {
	for _, n := range []*NodeFields{&f.Node, f.Prev} {
		if n == nil {
			continue
		}
		if err := n.checkIndexes(); err != nil {
			return fmt.Errorf("%w: event of %.64q: %w", ErrBadState, n.Path, err)
		}
	}
	e := &Event{action: f.Action, refresh: f.Refresh, time: f.Time, node: f.Node.node(noChildren)}
	if f.Prev != nil {
		e.prev = f.Prev.node(noChildren)
	}
	data := AppendEvent(nil, e)
	if _, err := decodeEvent(data); err != nil { // it must be possible to load it later
		return err
	}
	return l.addEvent(e)
}
