package btree

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// sizes are the numbers of items in the maps.
var sizes = []int{100, 5_000, 500_000}

// filled returns a map with n items.
func filled(n int) *Map[*file] {
	m := New[*file](len(root), 1)
	for i := range n {
		m.Append(newFile(benchName(i)))
	}
	return &m
}

func benchName(i int) string { return fmt.Sprintf("key%07d", i) }

func benchItems(n int) []*file {
	items := make([]*file, 1024)
	for i := range items {
		items[i] = newFile(benchName(rand.IntN(n)))
	}
	return items
}

func BenchmarkGet(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m, items := filled(n), benchItems(n)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if m.Get(m.name(items[i%len(items)])) == nil {
					b.Fatal("not found")
				}
			}
		})
	}
}

// BenchmarkReplace replaces one item in each clone, as a batch of one command does.
func BenchmarkReplace(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m, items := filled(n), benchItems(n)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c := m.Clone(uint64(i + 2))
				c.Replace(items[i%len(items)])
				*m = c
			}
		})
	}
}

// BenchmarkInsertAndDelete adds and removes an item in each clone.
func BenchmarkInsertAndDelete(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m, item := filled(n), newFile(benchName(n/2)+"x")
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c := m.Clone(uint64(i + 2))
				c.Insert(item)
				c.Delete(m.name(item))
				*m = c
			}
		})
	}
}

func BenchmarkScan(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := filled(n)
			b.ReportAllocs()
			for b.Loop() {
				m.Scan(func(*file) bool { return true })
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/item")
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	const n = 100_000
	b.ReportAllocs()
	for b.Loop() {
		filled(n)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/item")
}
