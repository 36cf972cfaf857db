package tree

import (
	"fmt"
	"slices"
	"testing"
)

// neverStop is a pause function that does not end the work.
func neverStop() bool { return true }

// newHashStore returns a store with directories, hidden nodes, and names with bytes that
// sort before and after the slash.
func newHashStore() *Store {
	s := New(100)
	var commands []Command
	for i := range 2000 {
		commands = append(commands, Command{Op: OpSet, Path: fmt.Sprintf("/d%d/k%04d", i%7, i), Value: fmt.Sprint("v", i)})
	}
	for _, path := range []string{"/a", "/a-x", "/a0", "/b/c/d", "/b/c-d", "/_hidden/x"} {
		commands = append(commands, Command{Op: OpSet, Path: path, Value: "v"})
	}
	s.Apply(1, commands)
	return s
}

func TestHashRanges(t *testing.T) {
	view := newHashStore().View()
	bounds := view.Bounds("", "", 8, neverStop)
	want := view.HashRanges(bounds, neverStop)
	if len(want) != len(bounds)+1 || len(bounds) < 8 || len(bounds) > 16 {
		t.Fatalf("%d bounds, %d hashes", len(bounds), len(want))
	}
	t.Run("the same tree", func(t *testing.T) {
		if got := newHashStore().View().HashRanges(bounds, neverStop); !slices.Equal(got, want) {
			t.Errorf("got %x, want %x", got, want)
		}
	})
	t.Run("an empty tree", func(t *testing.T) {
		if got := New(1).View().HashRanges([]string{"/x"}, neverStop); len(got) != 2 || got[0] != got[1] {
			t.Errorf("got %x", got)
		}
	})
	t.Run("stopped", func(t *testing.T) {
		calls := 0
		if got := view.HashRanges(nil, func() bool { calls++; return false }); got != nil || calls != 1 {
			t.Errorf("got %x after %d calls", got, calls)
		}
		if got := view.Bounds("", "", 2, func() bool { return false }); got != nil {
			t.Errorf("got %q", got)
		}
	})
}

// TestHashRangesOfAChange checks that only the hash of the changed key's range differs.
func TestHashRangesOfAChange(t *testing.T) {
	view := newHashStore().View()
	bounds := view.Bounds("", "", 8, neverStop)
	want := view.HashRanges(bounds, neverStop)
	for name, c := range map[string]Command{
		"a value":     {Op: OpSet, Path: "/d3/k0101", Value: "other"},
		"a TTL":       {Op: OpUpdate, Path: "/d3/k0101", Value: "v101", Expires: 99},
		"a new key":   {Op: OpSet, Path: "/d3/k0101x", Value: ""},
		"a directory": {Op: OpSet, Path: "/d3/k0101x", Dir: true},
		"a deletion":  {Op: OpDelete, Path: "/d3/k0101"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newHashStore()
			s.Apply(2, []Command{c})
			got := s.View().HashRanges(bounds, neverStop)
			var differing []int
			for i := range got {
				if got[i] != want[i] {
					differing = append(differing, i)
				}
			}
			at := 0
			for at < len(bounds) && comparePaths(c.Path, bounds[at]) >= 0 {
				at++
			}
			if !slices.Equal(differing, []int{at}) {
				t.Errorf("ranges %v differ, want %d", differing, at)
			}
			if s.View().HashState() == view.HashState() {
				t.Error("the state's hash is the same")
			}
		})
	}
}

// TestHashRangesNarrow compares two trees that differ in one key. It divides the range that
// differs again and again, until the range holds only this key.
func TestHashRangesNarrow(t *testing.T) {
	view := newHashStore().View()
	s := newHashStore()
	s.Apply(2, []Command{{Op: OpSet, Path: "/d3/k0101", Value: "other"}})
	low, high := "", ""
	for range 6 {
		bounds := view.Bounds(low, high, 4, neverStop)
		a, b := view.HashRanges(bounds, neverStop), s.View().HashRanges(bounds, neverStop)
		for i := range a {
			if a[i] != b[i] {
				low, high = append([]string{""}, bounds...)[i], append(bounds, "")[i]
			}
		}
	}
	if low != "/d3/k0101" || comparePaths(high, "/d3/k0108") != 0 {
		t.Errorf("ended at [%s, %s)", low, high)
	}
}

// TestComparePaths checks that comparePaths has the order of a walk.
func TestComparePaths(t *testing.T) {
	var walked []string
	walkPausing(newHashStore().View().root, neverStop, func(n *Node) { walked = append(walked, n.Path()) })
	if !slices.IsSortedFunc(walked, comparePaths) || len(walked) < 2000 {
		t.Errorf("the walk is not in the order of comparePaths: %q", walked)
	}
	for i, p := range walked {
		if comparePaths(p, p) != 0 || i > 0 && comparePaths(p, walked[i-1]) <= 0 {
			t.Errorf("%q does not sort after the path before it", p)
		}
	}
}

func BenchmarkHashRanges(b *testing.B) {
	s := New(10)
	for i := range 200 {
		var commands []Command
		for k := range 500 {
			commands = append(commands, Command{Op: OpSet, Path: fmt.Sprintf("/bench/%03d/key%d", i, k), Value: "0123456789abcdef0123456789abcdef"})
		}
		s.Apply(1, commands)
	}
	view := s.View()
	bounds := view.Bounds("", "", 32, neverStop)
	b.ResetTimer()
	for range b.N {
		view.HashRanges(bounds, neverStop)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(view.Nodes()), "ns/node")
}
