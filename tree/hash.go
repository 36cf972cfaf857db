package tree

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// pauseNodes is the number of nodes between two calls of pause.
const pauseNodes = 1024

// maxBound is the length in bytes to which Bounds shortens a path. A shortened path
// still divides the tree, and bounds are sent to other members.
const maxBound = 128

// HashRanges hashes all nodes below the root, in ranges that bounds divide: the first
// hash is of the paths before bounds[0], the last one of those from the last bound on.
// The same tree and bounds give the same hashes on every member. bounds must be in the
// order of Walk.
//
// HashRanges may run for long. It calls pause after each 1024 nodes; if pause returns
// false, HashRanges returns nil.
func (v *View) HashRanges(bounds []string, pause func() bool) []uint64 {
	sums := make([]uint64, 0, len(bounds)+1)
	var sum xxhash.Digest
	sum.Reset()
	done := walkPausing(v.root, pause, func(n *Node) {
		for len(sums) < len(bounds) && comparePaths(n.Path(), bounds[len(sums)]) >= 0 {
			sums = append(sums, sum.Sum64())
			sum.Reset()
		}
		n.hash(&sum)
	})
	if !done {
		return nil
	}
	for len(sums) <= len(bounds) {
		sums = append(sums, sum.Sum64())
		sum.Reset()
	}
	return sums
}

// HashState hashes what the view holds beside the nodes: index, counters and totals.
func (v *View) HashState() uint64 {
	b := v.AppendState(nil)
	b = binary.LittleEndian.AppendUint64(b, uint64(v.nodes))
	b = binary.LittleEndian.AppendUint64(b, uint64(v.bytes))
	return xxhash.Sum64(b)
}

// hash adds a node, without its children, to a sum. It adds the lengths of path and
// value, too: without them "ab" and "c" would hash like "a" and "bc".
func (n *Node) hash(sum *xxhash.Digest) {
	var head [6 * 8]byte
	var kind uint64
	if n.IsDir() {
		kind = 1
	}
	for i, word := range [...]uint64{
		uint64(len(n.Path())), uint64(len(n.Value())), n.created, n.modified, uint64(n.expires), kind,
	} {
		binary.LittleEndian.PutUint64(head[8*i:], word)
	}
	// A hash takes everything; none of these can fail.
	_, _ = sum.Write(head[:])
	_, _ = sum.WriteString(n.Path())
	_, _ = sum.WriteString(n.Value())
}

// Bounds divides the paths from low (inclusive) to high (exclusive) into at most 2n
// ranges of about the same number of nodes, and returns the paths at which they meet,
// with low and high. An empty low is the beginning, an empty high the end; neither is
// in the result. It calls pause like HashRanges.
func (v *View) Bounds(low, high string, n int, pause func() bool) []string {
	var picked []string
	stride, count := 1, 0
	done := walkPausing(v.root, pause, func(node *Node) {
		if low != "" && comparePaths(node.Path(), low) <= 0 || high != "" && comparePaths(node.Path(), high) >= 0 {
			return
		}
		if count++; count%stride != 0 {
			return
		}
		picked = append(picked, node.Path())
		if len(picked) < 2*n {
			return
		}
		for i := range n { // keep every other one
			picked[i] = picked[2*i+1]
		}
		picked = picked[:n]
		stride *= 2
	})
	if !done {
		return nil
	}
	var bounds []string
	for _, b := range append(append([]string{low}, picked...), high) {
		if b = b[:min(len(b), maxBound)]; b != "" && (len(bounds) == 0 || bounds[len(bounds)-1] != b) {
			bounds = append(bounds, b)
		}
	}
	return bounds
}

// walkPausing visits all nodes below n in order and calls pause on the way. It returns
// false if pause did.
func walkPausing(n *Node, pause func() bool, visit func(*Node)) bool {
	left := pauseNodes
	return descend(n, func(n *Node) bool {
		visit(n)
		if left--; left > 0 {
			return true
		}
		left = pauseNodes
		return pause()
	})
}
