package tree

// ancestors are the directories from the root to the parent of a node, the root
// first. All must be mutable for the current batch.
//
// Every directory holds totals of the nodes below it, and the first TTL that ends
// there. So a change of a node updates all its ancestors. In return, a directory is
// removed in one step: the cost depends on its depth, not on how much it holds.
type ancestors []*directory

// usualDepth is the number of directories for which ancestors have room without an
// allocation.
const usualDepth = 16

func (a ancestors) parent() *directory { return a[len(a)-1] }

// insert adds n, which must have no children, to the parent.
func (a ancestors) insert(n *Node) {
	a.parent().children.Insert(n)
	a.count(n)
}

// count adds n, which must have no children and be in the parent already, to the
// totals.
func (a ancestors) count(n *Node) {
	a.addTotals(1, n.bytes())
	a.reschedule(expiry{}, n.expiry())
}

// replace puts n in the place of prev, which is in the parent. If they are
// directories, they must have the same children.
func (a ancestors) replace(prev, n *Node) {
	a.parent().children.Replace(n)
	a.addTotals(0, n.bytes()-prev.bytes())
	a.reschedule(prev.expiry(), n.expiry())
}

// remove removes n, with all nodes below it, from the parent.
func (a ancestors) remove(n *Node) {
	a.parent().children.Delete(base(n.Path()))
	nodes, bytes := int64(1), n.bytes()
	if n.IsDir() {
		nodes += n.directory().nodes
		bytes += n.directory().bytes
		a.reschedule(n.directory().firstDue(), expiry{})
	}
	a.addTotals(-nodes, -bytes)
	a.reschedule(n.expiry(), expiry{})
}

func (a ancestors) addTotals(nodes, bytes int64) {
	for _, d := range a {
		d.nodes += nodes
		d.bytes += bytes
	}
}

// reschedule replaces the entry old by added among those of the parent; either may be
// none. Each ancestor holds the first entry of each directory in it, so its own entry
// for that directory is replaced where the first one has changed.
func (a ancestors) reschedule(old, added expiry) {
	if old.none() && added.none() {
		return
	}
	for i := len(a) - 1; i >= 0; i-- {
		before := a[i].firstDue()
		a[i].reschedule(old, added)
		after := a[i].firstDue()
		// An entry that is equal to the one before is passed on as well: its path is
		// another piece of memory, and the old path must not be kept alive.
		if after == before && after != added {
			return
		}
		old, added = before, after
	}
}
