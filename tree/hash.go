package tree

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// pauseNodes is the number of nodes between two calls of pause.
const pauseNodes = 1024

// HashRanges divides all nodes below the root, with the files that v2 does not show, into ranges of paths, and returns a hash of
// each range. The first range ends before bounds[0], the last one begins at the last
// bound. bounds must be in the order of Walk. Members with the same tree return the same
// hashes for the same bounds.
//
// HashRanges may take long. It calls pause after every 1024 nodes. If pause returns
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
		if file := n.Shadowed(); file != nil {
			file.hash(&sum)
		}
	})
	if !done {
		return nil
	}
	for len(sums) <= len(bounds) {
		sums = append(sums, sum.Sum64())
		sum.Reset()
	}
	if !v.hashPlain(sums, bounds, pause) {
		return nil
	}
	return sums
}

// hashPlain adds the plain keys to the hashes of the ranges. It returns false if pause has returned false.
func (v *View) hashPlain(sums []uint64, bounds []string, pause func() bool) bool {
	if v.plain.nodes.Len() == 0 {
		return true
	}
	plain := make([]xxhash.Digest, len(sums))
	for i := range plain {
		plain[i].Reset()
	}
	empty := plain[0].Sum64()
	done := visitPausing(v.plain.nodes.Scan, pause, func(n *Node) {
		at, _ := slices.BinarySearchFunc(bounds, n.Path(), func(bound, key string) int {
			if comparePaths(bound, key) <= 0 {
				return -1
			}
			return 1
		})
		n.hash(&plain[at])
	})
	for i := range sums {
		if sum := plain[i].Sum64(); sum != empty { // otherwise the hash is that of a program below KVLevel
			sums[i] = bits.RotateLeft64(sums[i], 1) ^ sum
		}
	}
	return done
}

// HashState returns a hash of the index, the counters, the totals, the users and the mirror of
// the view, and of its revision after StartRevisions. Before that it is the hash that programs below KVLevel compute. If no users were
// ever changed, and the cluster has never followed an etcd, it is the one that programs below UsersLevel compute.
func (v *View) HashState() uint64 {
	b := v.AppendState(nil)
	b = binary.LittleEndian.AppendUint64(b, uint64(v.Nodes()))
	b = binary.LittleEndian.AppendUint64(b, uint64(v.Bytes()))
	if !v.users.IsZero() {
		b = binary.LittleEndian.AppendUint64(b, v.hashUsers())
	}
	if v.LeaseCount() > 0 {
		b = binary.LittleEndian.AppendUint64(b, v.hashLeases())
	}
	return xxhash.Sum64(v.AppendMirror(b))
}

// hashLeases returns a hash of all leases.
func (v *View) hashLeases() uint64 {
	var sum xxhash.Digest
	sum.Reset()
	for l := range v.Leases() {
		var words [3 * 8]byte
		binary.LittleEndian.PutUint64(words[:], uint64(l.ID))
		binary.LittleEndian.PutUint64(words[8:], uint64(l.TTL))
		binary.LittleEndian.PutUint64(words[16:], uint64(l.Granted))
		_, _ = sum.Write(words[:]) // Writes to a hash never fail.
	}
	return sum.Sum64()
}

// hashUsers returns a hash of the stored form of the users.
func (v *View) hashUsers() uint64 {
	var sum xxhash.Digest
	sum.Reset()
	// Writes to a hash never fail.
	_, _ = sum.Write(v.users.AppendHead(nil))
	for key, record := range v.users.Difference(nil) {
		var lengths [2 * 8]byte
		binary.LittleEndian.PutUint64(lengths[:], uint64(len(key)))
		binary.LittleEndian.PutUint64(lengths[8:], uint64(len(record)))
		_, _ = sum.Write(lengths[:])
		_, _ = sum.Write(key)
		_, _ = sum.Write(record)
	}
	return sum.Sum64()
}

// The bits of the word that a hash has for the kind of a node.
const (
	hashedDir     = 1
	hashedCounted = 2 // the node was written after StartRevisions
	hashedImplied = 4 // see Node.isImplied
)

// hash adds a node without its children to sum. It adds the lengths of path and value,
// too: otherwise the path "ab" with the value "c" would have the hash of "a" with "bc".
// The hash of a node that was written before StartRevisions is the one that programs below KVLevel compute.
func (n *Node) hash(sum *xxhash.Digest) {
	var head [6 * 8]byte
	var kind uint64
	if n.IsDir() {
		kind |= hashedDir
	}
	if n.isImplied() {
		kind |= hashedImplied
	}
	version := n.storedVersion()
	if version != 0 {
		kind |= hashedCounted
	}
	for i, word := range [...]uint64{
		uint64(len(n.Path())), uint64(len(n.Value())), n.CreatedIndex(), n.ModifiedIndex(), uint64(n.Expires()), kind,
	} {
		binary.LittleEndian.PutUint64(head[8*i:], word)
	}
	// Writes to a hash never fail.
	_, _ = sum.Write(head[:])
	if version != 0 {
		var tail [5 * 8]byte
		for i, word := range [...]uint64{n.CreateRevision(), n.ModRevision(), version, n.Sub(), uint64(n.Lease())} {
			binary.LittleEndian.PutUint64(tail[8*i:], word)
		}
		_, _ = sum.Write(tail[:])
	}
	_, _ = sum.WriteString(n.Path())
	_, _ = sum.WriteString(n.Value())
}

// walkPausing visits all nodes below n in the order of Walk, and calls pause after every
// pauseNodes nodes. It stops and returns false if pause returns false.
func walkPausing(n *Node, pause func() bool, visit func(*Node)) bool {
	return visitPausing(func(yield func(*Node) bool) bool { return descend(n, yield) }, pause, visit)
}

// visitPausing visits the nodes of scan, as walkPausing does. scan must stop and return false if its argument returns false.
func visitPausing(scan func(yield func(*Node) bool) bool, pause func() bool, visit func(*Node)) bool {
	left := pauseNodes
	return scan(func(n *Node) bool {
		visit(n)
		if left--; left > 0 {
			return true
		}
		left = pauseNodes
		return pause()
	})
}
