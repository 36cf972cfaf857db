package etcdv2

import "container/heap"

// expiries is a heap of the nodes with a TTL. The first one expires first. Of two that expire at the same time the first path comes
// first; etcd takes them in the order of its heap, which no file tells.
type expiries []*node

// Len is a method of heap.Interface.
func (e expiries) Len() int { return len(e) }

// Less is a method of heap.Interface.
func (e expiries) Less(i, j int) bool {
	if e[i].expires != e[j].expires {
		return e[i].expires < e[j].expires
	}
	return e[i].path() < e[j].path()
}

// Swap is a method of heap.Interface.
func (e expiries) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].place, e[j].place = i+1, j+1
}

// Push is a method of heap.Interface.
func (e *expiries) Push(x any) {
	n := x.(*node)
	*e = append(*e, n)
	n.place = len(*e)
}

// Pop is a method of heap.Interface.
func (e *expiries) Pop() any {
	last := len(*e) - 1
	n := (*e)[last]
	(*e)[last] = nil
	*e = (*e)[:last]
	n.place = 0
	return n
}

// set gives a node another expiry, or none.
func (e *expiries) set(n *node, expires int64) {
	n.expires = expires
	switch {
	case n.place > 0 && expires != 0:
		heap.Fix(e, n.place-1)
	case n.place > 0:
		heap.Remove(e, n.place-1)
	case expires != 0:
		heap.Push(e, n)
	}
}

// removeBelow removes a node and all nodes below it from the heap.
func (e *expiries) removeBelow(n *node) {
	if n.place > 0 {
		heap.Remove(e, n.place-1)
	}
	for _, child := range n.children {
		e.removeBelow(child)
	}
}
