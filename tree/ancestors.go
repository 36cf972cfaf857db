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
	a.changeTotals(n.totals(), 1)
	a.reschedule(expiry{}, n.expiry())
}

// replace replaces prev, a child of the parent, by n. If they are directories, they must
// have the same children. If one of them is a directory, it must have none.
func (a ancestors) replace(prev, n *Node) {
	a.parent().children.Replace(n)
	a.changeTotals(prev.totals(), -1)
	a.changeTotals(n.totals(), 1)
	a.reschedule(prev.expiry(), n.expiry())
	a.reschedule(prev.shadowedExpiry(), n.shadowedExpiry())
}

// remove removes n and all nodes below it from the parent. The shadowed file of a directory takes its place.
func (a ancestors) remove(n *Node) {
	if n.IsDir() {
		a.changeTotals(n.directory().totals, -1)
		a.reschedule(n.directory().firstDue(), expiry{})
	}
	if file := n.Shadowed(); file != nil {
		a.replace(n, file)
		return
	}
	a.parent().children.Delete(base(n.Path()))
	a.changeTotals(n.totals(), -1)
	a.reschedule(n.expiry(), expiry{})
}

// changeTotals adds t to the totals of all ancestors, n times.
func (a ancestors) changeTotals(t totals, n int32) {
	for _, d := range a {
		d.totals.add(t, n)
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
