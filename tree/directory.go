package tree

import "pando/tree/btree"

// directory holds the children of a node, and the totals of all that is below it (see
// ancestors), which do not include the node itself and its shadowed file. A batch may change
// directories of its own epoch in place, because no published view holds them yet. It must clone any other directory first, which takes
// constant time.
type directory struct {
	children btree.Map[*Node] // by name; the owner of the map is the epoch

	totals
	// due holds the expiries of the children, and the first expiry below each child that
	// is a directory. It is nil if there are none. Only the applying goroutine may use
	// it. A clone has the same due as the original, because views do not read it; within a
	// transaction, which may fail, it has a copy, and in a store that only measures it has none (see Store.cloneDir).
	due *expiries
}

// totals are sums over nodes. A shadowed file is a key, but no node, because v2 does not see it. Its bytes count.
type totals struct {
	nodes, keys int32 // files and directories; files, with the shadowed ones
	bytes       int64 // of paths and values
}

// add adds other, n times.
func (t *totals) add(other totals, n int32) {
	t.nodes += n * other.nodes
	t.keys += n * other.keys
	t.bytes += int64(n) * other.bytes
}

// totals returns what the node itself adds to the totals of the directories above it, without what is below it.
func (n *Node) totals() totals {
	t := totals{nodes: 1, bytes: n.bytes()}
	if !n.IsDir() {
		t.keys = 1
	} else if file := n.Shadowed(); file != nil {
		t.keys = 1
		t.bytes += file.bytes()
	}
	return t
}

// noChildren is the directory of nodes that are shown without children, such as those of
// events.
var noChildren = &directory{}

func newDirectory(path string, epoch uint64) *directory {
	return &directory{children: btree.New[*Node](nameOffset(path), epoch)}
}

// epoch returns the epoch of the batch that may change the directory in place.
func (d *directory) epoch() uint64 { return d.children.Owner() }

// clone returns a copy that the batch of the epoch may change in place.
func (d *directory) clone(epoch uint64) *directory {
	c := *d
	c.children = d.children.Clone(epoch)
	return &c
}
