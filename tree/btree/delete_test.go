package btree

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestDeleteAll removes parts of a map. The result must be that of a Delete for each item, and the original of the clone must stay.
func TestDeleteAll(t *testing.T) {
	const n = 600
	random := rand.New(rand.NewPCG(5, 6))
	for kind, name := range names {
		for _, make := range []func(int, uint64) Map[*file]{New[*file], NewCounted[*file]} {
			m, want := make(len(root), 1), map[string]*file{}
			for i := range n {
				if f := newFile(name(i)); m.Append(f) {
					want[name(i)] = f
				}
			}
			for _, percent := range []int{1, 60, 100} {
				t.Run(fmt.Sprintf("%s, counted %t, %d%%", kind, m.counts, percent), func(t *testing.T) {
					checkDeleteAll(t, &m, want, func() bool { return random.IntN(100) < percent })
				})
			}
		}
	}
}

// checkDeleteAll removes the items for which remove returns true from a clone of a map.
func checkDeleteAll(t *testing.T, m *Map[*file], want map[string]*file, remove func() bool) {
	clone, left := m.Clone(2), maps.Clone(want)
	var removed []*file
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if remove() {
			removed = append(removed, want[name])
			delete(left, name)
		}
	}
	clone.DeleteAll(removed)
	compare(t, &clone, left)
	compare(t, m, want)
	for _, f := range removed { // the map must be fit for further changes
		clone.Insert(f)
	}
	compare(t, &clone, want)
}
