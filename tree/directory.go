package tree

import "pando/tree/btree"

// directory holds the children of a node, and totals over all nodes below it (see
// ancestors). A batch may change the directories of its own epoch in place, because
// no published view reaches them yet. Any other is cloned first, which takes
// constant time.
type directory struct {
	children btree.Map[*Node] // by name; owned by the epoch of a batch

	nodes, bytes int64 // of all nodes below, however deep
	// due holds the entries of the children that have a TTL, and for each directory
	// among the children the first entry below it; nil when there is none. It belongs
	// to the applying goroutine. A clone goes on with it, because views do not read it.
	due *expiries
}

// noChildren is the directory of nodes that are shown without their children, as
// in an event.
var noChildren = &directory{}

func newDirectory(path string, epoch uint64) *directory {
	return &directory{children: btree.New[*Node](nameOffset(path), epoch)}
}

// epoch is that of the batch that may change the directory in place.
func (d *directory) epoch() uint64 { return d.children.Owner() }

// clone gives a directory that the batch of epoch may change.
func (d *directory) clone(epoch uint64) *directory {
	c := *d
	c.children = d.children.Clone(epoch)
	return &c
}
