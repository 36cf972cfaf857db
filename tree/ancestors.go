package tree

// ancestors are the directories from the root to the parent of a node, the root
// first. All must be mutable for the current batch.
//
// Every directory holds totals of the nodes below it, and the first expiry below it. So
// a change of a node updates all its ancestors. In return, a directory is removed in one
// step: the cost depends on its depth, not on the number of nodes below it.
type ancestors []*directory

// usualDepth is the initial capacity of ancestors. Deeper paths need an allocation.
const usualDepth = 16

func (a ancestors) parent() *directory { return a[len(a)-1] }

// insert adds n, which must have no children, to the parent.
func (a ancestors) insert(n *Node) {
	a.parent().children.Insert(n)
	a.addToTotals(n)
}

// addToTotals adds n to the totals and the expiries of all ancestors. n must have no
// children, and must be in the parent already.
func (a ancestors) addToTotals(n *Node) {
	a.changeTotals(1, n.bytes())
	a.reschedule(expiry{}, n.expiry())
}

// replace replaces prev, a child of the parent, by n. If they are directories, they must
// have the same children.
func (a ancestors) replace(prev, n *Node) {
	a.parent().children.Replace(n)
	a.changeTotals(0, n.bytes()-prev.bytes())
	a.reschedule(prev.expiry(), n.expiry())
}

// remove removes n and all nodes below it from the parent.
func (a ancestors) remove(n *Node) {
	a.parent().children.Delete(base(n.Path()))
	nodes, bytes := int64(1), n.bytes()
	if n.IsDir() {
		nodes += n.directory().nodes
		bytes += n.directory().bytes
		a.reschedule(n.directory().firstDue(), expiry{})
	}
	a.changeTotals(-nodes, -bytes)
	a.reschedule(n.expiry(), expiry{})
}

func (a ancestors) changeTotals(nodes, bytes int64) {
	for _, d := range a {
		d.nodes += nodes
		d.bytes += bytes
	}
}

// reschedule replaces the expiry old by added in the parent. Either may be zero. The due
// of each ancestor holds the first expiry of each of its directories. So if the first
// expiry of a directory changes, it is replaced in the directory above, too.
func (a ancestors) reschedule(old, added expiry) {
	if old.isZero() && added.isZero() {
		return
	}
	for i := len(a) - 1; i >= 0; i-- {
		before := a[i].firstDue()
		a[i].reschedule(old, added)
		after := a[i].firstDue()
		// An expiry that is equal to the old one is replaced as well: its path is
		// another piece of memory, and the old path must not be kept alive.
		if after == before && after != added {
			return
		}
		old, added = before, after
	}
}
