package tree

import "iter"

// NodesToRead visits the nodes of the view whose changes in an etcd a recursive watch does not report, without their values: those with a
// TTL, because watchers do not get refreshes, and those with a hidden name. Their order is that of Walk.
func (v *View) NodesToRead() iter.Seq[NodeFields] {
	return func(yield func(NodeFields) bool) {
		for n := range v.Walk() {
			if n.expires == 0 && !hiddenName(base(n.Path())) {
				continue
			}
			if !yield(NodeFields{Path: n.Path(), Dir: n.IsDir(), Created: n.created, Modified: n.modified, Expires: n.expires}) {
				return
			}
		}
	}
}
