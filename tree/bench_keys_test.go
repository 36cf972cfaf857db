package tree

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// growKeys returns a store with n keys, which name makes.
func growKeys(b testing.TB, n int, name func(i int) string) *Store {
	b.Helper()
	s := New(10)
	s.StartRevisions()
	value := strings.Repeat("v", 100)
	for i := 0; i < n; {
		s.beginBatch(1)
		for range min(500, n-i) {
			s.putTestKey(newFile(name(i), value, 0, 0))
			i++
		}
		s.publish()
		s.Announce()
	}
	s.TakeDelta()
	return s
}

// keyLayouts are the kinds of keys of the benchmarks.
var keyLayouts = []struct {
	name string
	key  func(i int) string
	// prefix begins about half of the keys, and cuts a directory.
	prefix KeyRange
}{
	{"plain", func(i int) string { return fmt.Sprintf("key%07d", i) }, KeyRange{From: "key01", To: "key0350000"}},
	{"one dir", func(i int) string { return fmt.Sprintf("/dir/key%07d", i) }, KeyRange{From: "/dir/key01", To: "/dir/key0350000"}},
	{"dirs of 100", func(i int) string { return fmt.Sprintf("/dir%04d/key%07d", i/100, i) },
		KeyRange{From: "/dir1000/key0100050", To: "/dir3500/key0350050"}},
	{"dirs of 1", func(i int) string { return fmt.Sprintf("/dirs/%07d/key", i) }, KeyRange{From: "/dirs/01", To: "/dirs/0350000"}},
}

const benchKeys = 500_000

func BenchmarkKeys(b *testing.B) {
	for _, l := range keyLayouts {
		s := growKeys(b, benchKeys, l.key)
		v := s.View()
		b.Run(l.name+"/all", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for range v.Keys(KeyRange{}) {
					n++
				}
				if n != benchKeys {
					b.Fatalf("%d keys", n)
				}
			}
		})
		b.Run(l.name+"/page of 500", func(b *testing.B) {
			b.ReportAllocs()
			q := RangeQuery{Limit: 500, KeyRange: l.prefix}
			for b.Loop() {
				if r := q.Run(v); len(r.Nodes) != 500 || !r.More {
					b.Fatalf("%d keys", len(r.Nodes))
				}
			}
		})
		b.Run(l.name+"/last 500", func(b *testing.B) {
			b.ReportAllocs()
			q := RangeQuery{Limit: 500, KeyRange: l.prefix, Order: SortDescending}
			for b.Loop() {
				if r := q.Run(v); len(r.Nodes) != 500 || !r.More {
					b.Fatalf("%d keys", len(r.Nodes))
				}
			}
		})
		b.Run(l.name+"/count", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if n := v.CountKeys(l.prefix); n == 0 {
					b.Fatal("no keys")
				}
			}
		})
		b.Run(l.name+"/key", func(b *testing.B) {
			keys := make([]string, 1024)
			for i := range keys {
				keys[i] = l.key(rand.IntN(benchKeys))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if v.Key(keys[i%len(keys)]) == nil {
					b.Fatal("not found")
				}
			}
		})
		b.Run(l.name+"/put", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.beginBatch(1)
				s.putTestKey(newFile(l.key(rand.IntN(benchKeys)), "value", 0, 0))
				s.publish()
				s.Announce()
				if s.DirtyPaths() > 100_000 {
					s.TakeDelta()
				}
			}
		})
	}
}
