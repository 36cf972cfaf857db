package diff

import (
	"iter"

	"pando/ctl/client"
)

// Nodes is a sequence of nodes in the order of client.CompareKeys, each key once. It may end with an error.
type Nodes = iter.Seq2[*client.Node, error]

// Pair has the nodes of two sequences with the same key. One of them may be nil, but not both.
type Pair struct{ A, B *client.Node }

// Key returns the key of the nodes.
func (p Pair) Key() string {
	if p.A != nil {
		return p.A.Key
	}
	return p.B.Key
}

// Merge returns the pairs of two sequences, in their order. It reads each sequence only as far as it needs. It ends after the first error.
func Merge(a, b Nodes) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		nextA, stopA := iter.Pull2(a)
		defer stopA()
		nextB, stopB := iter.Pull2(b)
		defer stopB()
		atA, errA, moreA := nextA()
		atB, errB, moreB := nextB()
		for moreA || moreB {
			for _, err := range []error{errA, errB} {
				if err != nil {
					yield(Pair{}, err)
					return
				}
			}
			order := 0
			switch {
			case !moreB:
				order = -1
			case !moreA:
				order = 1
			default:
				order = client.CompareKeys(atA.Key, atB.Key)
			}
			var pair Pair
			if order <= 0 {
				pair.A = atA
				atA, errA, moreA = nextA()
			}
			if order >= 0 {
				pair.B = atB
				atB, errB, moreB = nextB()
			}
			if !yield(pair, nil) {
				return
			}
		}
	}
}

// Of returns a sequence of nodes that are in memory, in the order of client.CompareKeys.
func Of(nodes []*client.Node) Nodes {
	return func(yield func(*client.Node, error) bool) {
		for _, n := range nodes {
			if !yield(n, nil) {
				return
			}
		}
	}
}
