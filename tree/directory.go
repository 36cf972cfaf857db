package tree

import "github.com/tidwall/btree"

// directory holds the children of a node in the order of their names. Cloning
// one costs the same whatever its size: the clone shares all its leaves with
// the original and copies those that it changes.
type directory struct {
	// epoch is the batch that may change this directory in place.
	epoch    uint64
	children btree.Map[string, *Node]
}

// childless stands for the children of a directory in an event, which shows
// none.
var childless = &directory{}

func newDirectory(epoch uint64) *directory { return &directory{epoch: epoch} }

// clone gives a directory that the batch of epoch may change. Readers of d
// go on undisturbed: the map's Copy touches no field that reading looks at.
func (d *directory) clone(epoch uint64) *directory {
	return &directory{epoch: epoch, children: *d.children.Copy()}
}

func (d *directory) get(name string) *Node {
	n, _ := d.children.Get(name)
	return n
}

// put stores n under its own name, which shares the bytes of its path.
func (d *directory) put(n *Node) { d.children.Set(base(n.path), n) }

func (d *directory) remove(name string) { d.children.Delete(name) }
