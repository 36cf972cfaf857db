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
	children := noChildren
	if f.Dir {
		children = newDirectory(f.Path, 0)
	}
	return l.add(f.Path, f.node(children))
}

// node returns the node. A directory has the children, a file has none.
func (f *NodeFields) node(children *directory) *Node {
	var n *Node
	if f.Dir {
		n = newDir(strings.Clone(f.Path), children)
	} else {
		n = newFile(f.Path, f.Value)
	}
	n.created, n.modified, n.expires = f.Created, f.Modified, f.Expires
	return n
}

// ImportEvent is Event for the content of another program's store.
func (l *Loader) ImportEvent(f EventFields) error {
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
