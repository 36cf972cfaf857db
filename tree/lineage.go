package tree

// lineage is the way from the root to a directory, the root first. Each directory
// knows how much lies below it and what falls due there first, so a change of the
// last one is told to those above. In return a directory goes with all below it at
// one stroke: what that costs depends on its depth, and not on what it holds.
type lineage []*directory

// usualDepth is how many directories a lineage has room for without an allocation.
const usualDepth = 16

func (l lineage) parent() *directory { return l[len(l)-1] }

// insert puts n, which has nothing below it, into the last directory.
func (l lineage) insert(n *Node) {
	l.parent().children.Insert(n)
	l.inserted(n)
}

// inserted counts n, which the last directory has taken and which has nothing below it.
func (l lineage) inserted(n *Node) {
	l.grow(1, n.bytes())
	l.reschedule(expiry{}, n.expiry())
}

// replace puts n where prev is; if they are directories, with the same children.
func (l lineage) replace(prev, n *Node) {
	l.parent().children.Replace(n)
	l.grow(0, n.bytes()-prev.bytes())
	l.reschedule(prev.expiry(), n.expiry())
}

// remove takes n and all below it away.
func (l lineage) remove(n *Node) {
	l.parent().children.Delete(base(n.Path()))
	nodes, bytes := int64(1), n.bytes()
	if n.IsDir() {
		nodes += n.directory().nodes
		bytes += n.directory().bytes
		l.reschedule(n.directory().firstDue(), expiry{})
	}
	l.grow(-nodes, -bytes)
	l.reschedule(n.expiry(), expiry{})
}

func (l lineage) grow(nodes, bytes int64) {
	for _, d := range l {
		d.nodes += nodes
		d.bytes += bytes
	}
}

// reschedule puts an entry in the place of another in the last directory; either may
// be none. Each directory above holds the first entry of those in it, and gets the
// new one if that has changed.
func (l lineage) reschedule(old, come expiry) {
	if old.none() && come.none() {
		return
	}
	for i := len(l) - 1; i >= 0; i-- {
		first := l[i].firstDue()
		l[i].reschedule(old, come)
		now := l[i].firstDue()
		// An equal entry goes up too: its path is another piece of memory, and the
		// old one must not be kept alive.
		if now == first && now != come {
			return
		}
		old, come = first, now
	}
}
