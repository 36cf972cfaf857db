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

	// The fields below are those of a file for the v3 API. In a node that was written before revisions were counted the Version is zero,
	// and the revisions are the indexes. Loader.ImportNode and Loader.ImportEvent ignore them, because a store of v2 has none.
	CreateRevision, ModRevision, Version uint64
	Lease                                int64
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

// ImportRevisions prepares the import of keys of the v3 API beside the nodes and the events: see Store.ImportKeys. No node or event gets a
// revision above base. It must be called after ImportState and before the first node.
func (l *Loader) ImportRevisions(base uint64) {
	l.store.revisions = revisions{started: true, counts: true, last: base}
}

// importedNumbers returns the numbers of a node of another program's store.
func (l *Loader) importedNumbers(f *NodeFields) numbers {
	c := uncounted(f.Created, f.Modified)
	if r := l.store.revisions; r.counts {
		c.createRevision, c.modRevision, c.version = min(f.Created, r.last), min(f.Modified, r.last), 1
		if f.Created != f.Modified && !f.Dir {
			c.version = 2 // the number of changes is not in the source
		}
	}
	return c
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
	return l.add(f.Path, f.nodeWith(children, l.importedNumbers(&f)))
}

// checkIndexes returns an error if a node can't have the indexes.
func (f *NodeFields) checkIndexes() error {
	c := uncounted(f.Created, f.Modified)
	return c.check()
}

// node returns the node. Its indexes must be valid: see checkIndexes. A directory has the children, a file has none.
func (f *NodeFields) node(children *directory) *Node {
	return f.nodeWith(children, uncounted(f.Created, f.Modified))
}

// nodeWith is node with other numbers.
func (f *NodeFields) nodeWith(children *directory, c numbers) *Node {
	if !f.Dir {
		return newNumberedFile(f.Path, f.Value, f.Expires, 0, c)
	}
	n := newDir(strings.Clone(f.Path), children)
	n.setExpires(f.Expires)
	n.setNumbers(c)
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
	e := &Event{action: f.Action, refresh: f.Refresh, time: f.Time, node: f.Node.nodeWith(noChildren, l.importedNumbers(&f.Node))}
	if f.Prev != nil {
		e.prev = f.Prev.nodeWith(noChildren, l.importedNumbers(f.Prev))
	}
	data := AppendEvent(nil, e)
	if _, err := decodeEvent(data, noNodes); err != nil { // it must be possible to load it later
		return err
	}
	return l.addEvent(e)
}
