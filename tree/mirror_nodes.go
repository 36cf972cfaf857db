package tree

import "iter"

// NodesToRead visits the nodes of the view that have a TTL or whose own name is hidden, without their values. They say what must be read
// again from an etcd that the tree follows: a recursive watch reports neither a refreshed TTL nor a change of a hidden node or below it.
// The order is that of Walk.
func (v *View) NodesToRead() iter.Seq[NodeFields] {
	return func(yield func(NodeFields) bool) {
		for n := range v.Walk() {
			if n.Expires() == 0 && !hiddenName(base(n.Path())) {
				continue
			}
			f := n.Fields()
			f.Value = ""
			if !yield(f) {
				return
			}
		}
	}
}
