package tree

import "slices"

// maxBound is the largest length of a bound, in bytes. Bounds are sent to other members,
// so they must be short. A path that is cut to this length still divides the tree.
const maxBound = 128

// Bounds divides the paths from low (inclusive) to high (exclusive) into at most 2n
// ranges with about the same number of nodes, and if there are plain keys, each of these further, at most 2n times in all. It returns
// low, the paths and keys between the ranges, and high. An empty low stands for the first path and an empty high for the end
// of the tree; they are not in the result. Bounds calls pause as HashRanges does.
func (v *View) Bounds(low, high string, n int, pause func() bool) []string {
	nodes, plain := newBoundPicker(low, high, n), newBoundPicker(low, high, n)
	if !walkPausing(v.root, pause, nodes.add) || !visitPausing(v.plain.nodes.Scan, pause, plain.add) {
		return nil
	}
	picked := nodes.picked
	if len(plain.picked) > 0 {
		picked = append(picked, plain.picked...)
		slices.SortFunc(picked, comparePaths)
	}
	var bounds []string
	for _, b := range append(append([]string{low}, picked...), high) {
		if b = b[:min(len(b), maxBound)]; b != "" && (len(bounds) == 0 || bounds[len(bounds)-1] != b) {
			bounds = append(bounds, b)
		}
	}
	return bounds
}

// boundPicker picks at most 2n paths, evenly from all that lie between low and high.
type boundPicker struct {
	low, high     string // "" for none
	n             int
	stride, count int // every stride-th path is picked; the number of paths so far
	picked        []string
}

func newBoundPicker(low, high string, n int) boundPicker {
	return boundPicker{low: low, high: high, n: n, stride: 1}
}

// add takes the next path.
func (p *boundPicker) add(n *Node) {
	path := n.Path()
	if p.low != "" && comparePaths(path, p.low) <= 0 || p.high != "" && comparePaths(path, p.high) >= 0 {
		return
	}
	if p.count++; p.count%p.stride != 0 {
		return
	}
	p.picked = append(p.picked, path)
	if len(p.picked) < 2*p.n {
		return
	}
	for i := range p.n { // keep every other one
		p.picked[i] = p.picked[2*i+1]
	}
	p.picked = p.picked[:p.n]
	p.stride *= 2
}
