package tree

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// compareTotals compares the totals and the first expiry of each directory with the model.
func compareTotals(t *rapid.T, m *model, s *Store) {
	walk(s.root, func(n *Node) {
		if !n.IsDir() {
			return
		}
		want, first := m.totals(n.Path())
		if d := n.directory(); d.totals != want || d.firstDue() != first {
			t.Fatalf("%s has the totals %+v, first TTL %v; want %+v, %v", n.Path(), d.totals, d.firstDue(), want, first)
		}
	})
}

// totals returns the totals and the first expiry of the nodes and the shadowed files below a directory.
func (m *model) totals(dir string) (t totals, first expiry) {
	add := func(n modelNode, due string) {
		t.bytes += int64(len(n.path) + len(n.value))
		if !n.dir {
			t.keys++
		}
		if e := (expiry{n.expires, due}); !e.isZero() && (first.isZero() || earlier(e, first)) {
			first = e
		}
	}
	for _, path := range m.below(dir) {
		t.nodes++
		add(m.nodes[path], path)
		if file, ok := m.shadowed[path]; ok {
			add(file, path+"/")
		}
	}
	return t, first
}

// growTTLs returns a store with keys below /d, in directories of 100. All keys have the
// same TTL.
func growTTLs(b testing.TB, keys int) *Store {
	b.Helper()
	s := New(10)
	must(b, s, Command{Op: OpSet, Path: "/d", Dir: true, Expires: 50 * second})
	for i := 0; i < keys; i += 100 {
		s.Apply(1, batch(100, func(j int) Command {
			return Command{Op: OpSet, Path: fmt.Sprintf("/d/%06d/%02d", i/100, j), Expires: 100 * second}
		}))
	}
	s.Announce()
	s.TakeDelta()
	return s
}

// TestRemovalTimeIsConstant removes a large directory in which every key has a TTL. The
// removal must be fast: a member applies no other command meanwhile.
func TestRemovalTimeIsConstant(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: it measures time")
	}
	const keys, most = 200_000, 10 * time.Millisecond
	for _, tc := range []struct {
		name    string
		now     int64
		command Command
	}{
		{"by a client", second, Command{Op: OpDelete, Path: "/d", Recursive: true}},
		{"by its own TTL", 60 * second, Command{Op: OpExpire}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			best := time.Hour // of several tries, because the machine may be busy
			for range 5 {
				s := growTTLs(t, keys)
				began := time.Now()
				s.Apply(tc.now, []Command{tc.command})
				s.Announce()
				best = min(best, time.Since(began))
				if v := s.View(); v.Nodes() != 0 || v.Bytes() != 0 || v.NextExpiry() != 0 {
					t.Fatalf("%d nodes, %d bytes and a TTL that ends at %d are left", v.Nodes(), v.Bytes(), v.NextExpiry())
				}
				if best < most {
					return
				}
			}
			t.Errorf("the fastest of 5 removals took %v, want less than %v", best, most)
		})
	}
}

// TestRemovedTTLsAreFreed makes and removes directories with TTLs many times, before the
// TTLs end. The heap must not grow.
func TestRemovedTTLsAreFreed(t *testing.T) {
	s := New(10)
	round := func() {
		s.Apply(1, batch(1000, func(i int) Command {
			return Command{Op: OpSet, Path: fmt.Sprintf("/d/%s/%04d", strings.Repeat("x", 100), i), Expires: int64(i+1) * 1000 * second}
		}))
		s.Apply(1, []Command{{Op: OpDelete, Path: "/d", Recursive: true}})
		s.Announce()
		s.TakeDelta()
	}
	round()
	before := heapInUse()
	for range 100 {
		round()
	}
	if grown := heapInUse() - before; grown > 1<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}

// BenchmarkRemove removes directories in which every key has a TTL.
func BenchmarkRemove(b *testing.B) {
	for _, keys := range []int{1_000, 1_000_000, 3_000_000} {
		b.Run(fmt.Sprintf("%d TTLs", keys), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				s := growTTLs(b, keys)
				b.StartTimer()
				s.Apply(1, []Command{{Op: OpDelete, Path: "/d", Recursive: true}})
				s.Announce()
			}
		})
	}
}

// BenchmarkRenew renews the TTL of keys among many.
func BenchmarkRenew(b *testing.B) {
	const keys = 200_000
	for _, tc := range []struct {
		name string
		path func(i int) string
	}{
		{"dirs of 100", func(i int) string { return fmt.Sprintf("/d/%06d/%02d", i/100, i%100) }},
		{"dirs of 1", func(i int) string { return fmt.Sprintf("/d/%06d/k", i) }},
		{"one dir", func(i int) string { return fmt.Sprintf("/d/%06d", i) }},
	} {
		b.Run(tc.name, func(b *testing.B) {
			s, at := New(10), int64(0)
			for i := range keys {
				at++
				s.Apply(1, []Command{{Op: OpSet, Path: tc.path(i), Expires: at * 1000}})
			}
			s.TakeDelta()
			b.ReportAllocs()
			for b.Loop() {
				at++
				s.Apply(1, []Command{{Op: OpUpdate, Path: tc.path(int(at*7919) % keys), Refresh: true, Expires: at * 1000}})
				s.Announce()
				s.TakeDelta()
			}
		})
	}
}
