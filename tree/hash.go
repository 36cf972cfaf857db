package tree

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// pauseNodes is after how many nodes a walk in the background calls pause.
const pauseNodes = 1024

// maxBound is the length to which Bounds shortens a path: what is left still
// divides the tree, and it travels in the log.
const maxBound = 128

// HashRanges hashes all that the view holds below the root, divided by bounds:
// the first hash is of the paths before bounds[0], the last one of those from the
// last bound on. The same tree and bounds give the same hashes on every member.
// Paths are in the order of a walk: a directory, all below it, the next.
//
// It is made to run in the background: it calls pause now and then, and gives up
// and returns nil when that returns false.
func (v *View) HashRanges(bounds []string, pause func() bool) []uint64 {
	sums := make([]uint64, 0, len(bounds)+1)
	var sum xxhash.Digest
	sum.Reset()
	done := tour(v.root, pause, func(n *Node) {
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

// HashState hashes what the view holds beside the nodes: index, counters and
// sizes.
func (v *View) HashState() uint64 {
	b := v.AppendState(nil)
	b = binary.LittleEndian.AppendUint64(b, uint64(v.nodes))
	b = binary.LittleEndian.AppendUint64(b, uint64(v.bytes))
	return xxhash.Sum64(b)
}

// hash adds a node, without its children, to a sum. The lengths tell where the
// path ends and the value begins.
func (n *Node) hash(sum *xxhash.Digest) {
	var head [6 * 8]byte
	var kind uint64
	if n.IsDir() {
		kind = 1
	}
	for i, word := range [...]uint64{
		uint64(len(n.Path())), uint64(len(n.Value())), n.CreatedIndex(), n.modified, uint64(n.expires), kind,
	} {
		binary.LittleEndian.PutUint64(head[8*i:], word)
	}
	// A hash takes everything; none of these can fail.
	_, _ = sum.Write(head[:])
	_, _ = sum.WriteString(n.Path())
	_, _ = sum.WriteString(n.Value())
}

// Bounds divides the paths from low (inclusive) to high (exclusive; "" for the
// end) into at most 2n ranges of about the same number of nodes, and gives what
// lies between them, low and high included unless they are "". It pauses and
// gives up as HashRanges does.
func (v *View) Bounds(low, high string, n int, pause func() bool) []string {
	var picked []string
	stride, count := 1, 0
	done := tour(v.root, pause, func(node *Node) {
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
		for i := range n { // too many: every other one goes
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

// tour visits all nodes below n in order, and reports whether it came to the end.
func tour(n *Node, pause func() bool, visit func(*Node)) bool {
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

// comparePaths orders paths as a walk meets them: a slash comes before anything
// else, so that a directory's contents come before its next sibling.
func comparePaths(a, b string) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x == '/' || y != '/' && x < y {
			return -1
		}
		return 1
	}
	return len(a) - len(b)
}
