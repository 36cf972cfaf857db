package tree

import (
	"fmt"
	"time"
)

// Node is a file or a directory. A published node never changes, so any goroutine may
// read it, and its strings may be kept without limit. A Node is the beginning of a
// larger object (see layout.go): it must not be copied.
type Node struct {
	_    noCopy
	word uint64 // word 0: see layout.go
}

// numbers are the numbers of a node. Node has a method for each.
type numbers struct {
	created, modified           uint64 // indexes
	createRevision, modRevision uint64
	version                     uint64 // zero for a node that was written before revisions were counted
	sub                         uint64
}

// uncounted returns the numbers of a node in a tree that does not count revisions: the revisions are the indexes.
func uncounted(created, modified uint64) numbers {
	return numbers{created: created, modified: modified, createRevision: created, modRevision: modified}
}

// check returns an error if a node can't have the numbers.
func (c *numbers) check() error {
	for _, number := range [...]uint64{c.created, c.modified, c.createRevision, c.modRevision} {
		if err := checkIndex(number); err != nil {
			return err
		}
	}
	return nil
}

// checkIndex returns an error if an index or a revision is too large for a node.
func checkIndex(index uint64) error {
	if index <= maxIndex {
		return nil
	}
	return fmt.Errorf("the index %d is above %d, the largest one that Pando can store", index, uint64(maxIndex))
}

// Version returns the number of changes of the file since it was made. The change that made it counts. For a file that was written before
// revisions were counted, Version returns 1 if the file has not changed since it was made, and otherwise 2.
func (n *Node) Version() uint64 {
	switch stored := n.storedVersion(); {
	case stored != 0:
		return stored
	case n.CreatedIndex() == n.ModifiedIndex():
		return 1
	}
	return 2
}

// noCopy makes go vet report copies of a struct that has it as a field.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// Len returns the number of children, including hidden ones. A file has none.
func (n *Node) Len() int {
	if !n.IsDir() {
		return 0
	}
	return n.directory().children.Len()
}

// ttl returns the time from now until the node expires: "ttl" in the v2 API.
func (n *Node) ttl(now int64) int64 { return SecondsLeft(n.Expires(), now) }

// SecondsLeft returns the time from now until expires in seconds, rounded up. Both times are nanoseconds since 1970.
func SecondsLeft(expires, now int64) int64 {
	left := expires - now
	ttl := left / int64(time.Second)
	if left%int64(time.Second) > 0 {
		ttl++
	}
	return ttl
}

// bytes returns the length of path and value: the share of the node in View.Bytes.
func (n *Node) bytes() int64 { return int64(len(n.Path()) + len(n.Value())) }

// withoutChildren returns the node without its children. Events use it, because they must
// not keep a whole subtree alive.
func (n *Node) withoutChildren() *Node {
	if !n.IsDir() || n.directory() == noChildren {
		return n
	}
	return n.alone()
}

// alone returns a copy of a directory without its children and its shadowed file, for events.
func (n *Node) alone() *Node {
	c := n.copyDir(noChildren, nil)
	c.setImplied(false)
	return c
}

// nextVersion returns the version of the node that replaces the node. That of a directory is always 1.
func (n *Node) nextVersion() uint64 {
	if n.IsDir() {
		return 1
	}
	return n.Version() + 1
}
