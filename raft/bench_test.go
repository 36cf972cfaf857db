package raft

import (
	"sync"
	"testing"

	"pando/tree"
)

// BenchmarkPropose writes to a member that is alone: with one writer, whose goroutine takes the turn, and with many,
// whose commands share entries.
func BenchmarkPropose(b *testing.B) {
	for name, writers := range map[string]int{"1 writer": 1, "64 writers": 64} {
		b.Run(name, func(b *testing.B) {
			m := newTestMember(b)
			n := m.start()
			command := &tree.Command{Op: tree.OpSet, Path: "/key", Value: "value"}
			b.ReportAllocs()
			b.ResetTimer()
			var group sync.WaitGroup
			for w := range writers {
				group.Go(func() {
					for i := w; i < b.N; i += writers {
						if _, err := n.Propose(b.Context(), command); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
		})
	}
}

// BenchmarkBarrier makes linearizable reads on a follower, one after the other.
func BenchmarkBarrier(b *testing.B) {
	c := newCluster(b, 3, nil)
	c.settle()
	n := c.follower().node()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := n.Barrier(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkClusterPropose writes to the leader of three members, and to a follower, which forwards.
func BenchmarkClusterPropose(b *testing.B) {
	c := newCluster(b, 3, nil)
	c.settle()
	for name, r := range map[string]*replica{"leader": c.leader(), "follower": c.follower()} {
		b.Run(name, func(b *testing.B) {
			n := r.node()
			command := &tree.Command{Op: tree.OpSet, Path: "/key", Value: "value"}
			b.ReportAllocs()
			for range b.N {
				if _, err := n.Propose(b.Context(), command); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
