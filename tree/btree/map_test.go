package btree

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// file is an item.
type file struct{ path string }

func (f *file) Path() string { return f.path }

const root = "/"

func newFile(name string) *file { return &file{root + name} }

// names are functions that make names. Each tests another case of the hints.
var names = map[string]func(i int) string{
	"numbers":                func(i int) string { return fmt.Sprintf("%08d", i) },
	"a long common prefix":   func(i int) string { return strings.Repeat("x", 100) + fmt.Sprint(i) },
	"a common prefix of 32":  func(i int) string { return strings.Repeat("x", maxPrefix) + fmt.Sprintf("%04d", i) },
	"prefixes of each other": func(i int) string { return strings.Repeat("y", i%300+1) + fmt.Sprint(i/300) },
	"bytes of any kind":      func(i int) string { return string([]byte{byte(i), byte(i >> 8), 0xff, 1}[:i%4+1]) },
}

// TestAgainstModel changes a Map at random, in batches, and compares it with a Go map. A
// change of a clone must not change the original.
func TestAgainstModel(t *testing.T) {
	for kind, name := range names {
		t.Run(kind, func(t *testing.T) { checkAgainstModel(t, New[*file](len(root), 1), name) })
		t.Run(kind+", counted", func(t *testing.T) { checkAgainstModel(t, NewCounted[*file](len(root), 1), name) })
	}
}

// checkAgainstModel is TestAgainstModel for a map, which must be empty, and one kind of names.
func checkAgainstModel(t *testing.T, m Map[*file], name func(i int) string) {
	random := rand.New(rand.NewPCG(1, 2))
	want := map[string]*file{}
	for owner := uint64(2); owner < 400; owner++ {
		original, shown := m, maps.Clone(want)
		m = m.Clone(owner)
		// The share of removals grows, so the map first grows and then shrinks.
		for range 30 {
			changeAtRandom(t, &m, want, name(random.IntN(3000)), random.IntN(10) < 2+int(owner/50))
		}
		if owner%2 == 0 {
			compare(t, &m, want)
		}
		for name, f := range shown {
			if original.Get(name) != f {
				t.Fatalf("the original of a clone lost %q", name)
			}
		}
		if t.Failed() {
			return
		}
	}
}

func changeAtRandom(t *testing.T, m *Map[*file], want map[string]*file, name string, remove bool) {
	switch f := newFile(name); {
	case remove:
		m.Delete(name)
		delete(want, name)
		return
	case want[name] != nil:
		if m.Append(f) {
			t.Errorf("%q was appended a second time", name)
		}
		m.Replace(f)
		want[name] = f
	case len(name)%2 == 0:
		if !m.Append(f) {
			t.Errorf("%q was not appended", name)
		}
		want[name] = f
	default:
		m.Insert(f)
		want[name] = f
	}
}

// compare checks that a map holds the wanted items in order, and checks its invariants.
func compare(t *testing.T, m *Map[*file], want map[string]*file) {
	t.Helper()
	sorted := slices.Sorted(maps.Keys(want))
	if m.Len() != len(sorted) {
		t.Errorf("%d items, want %d", m.Len(), len(sorted))
	}
	at := 0
	m.Scan(func(f *file) bool {
		if at == len(sorted) || f != want[sorted[at]] {
			t.Errorf("item %d is %q", at, f.path)
			return false
		}
		at++
		return true
	})
	for name, f := range want {
		if m.Get(name) != f {
			t.Errorf("%q is not found", name)
		}
		if other := name + "\x00"; want[other] == nil && m.Get(other) != nil {
			t.Errorf("%q is found", other)
		}
	}
	if m.root != nil {
		checkPage(t, m, m.root)
	}
	compareFrom(t, m, sorted)
}

// compareFrom scans a map from some names on, which it may or may not hold. sorted are the names of its items.
func compareFrom(t *testing.T, m *Map[*file], sorted []string) {
	t.Helper()
	if f := m.Last(); (f == nil) != (len(sorted) == 0) || f != nil && f.path[len(root):] != sorted[len(sorted)-1] {
		t.Fatalf("the last item is %v", f)
	}
	starts := []string{"", "\xff\xff\xff"}
	for i := 0; i < len(sorted); i += 97 {
		starts = append(starts, sorted[i], sorted[i]+"\x00", sorted[i][:len(sorted[i])-1])
	}
	for _, start := range starts {
		at, _ := slices.BinarySearch(sorted, start)
		want := sorted[at:min(at+70, len(sorted))] // more than a page
		var got []string
		m.ScanFrom(start, func(f *file) bool {
			if len(got) < len(want) {
				got = append(got, f.path[len(root):])
			}
			return len(got) < len(want)
		})
		if !slices.Equal(got, want) {
			t.Fatalf("from %q: got %q\nwant %q", start, got, want)
		}
		if f := m.Before(start); (f == nil) != (at == 0) || f != nil && f.path[len(root):] != sorted[at-1] {
			t.Fatalf("before %q: got %v", start, f)
		}
		if rank := m.Rank(start); rank != at {
			t.Fatalf("the rank of %q is %d, want %d", start, rank, at)
		}
		checkCursor(t, m, start, want)
	}
}

// checkCursor checks the first names of a cursor. They are all that it has if want holds fewer names than a page and some more.
func checkCursor(t *testing.T, m *Map[*file], start string, want []string) {
	t.Helper()
	c := m.Seek(start)
	for _, name := range want {
		if f := c.Next(); f == nil || f.path[len(root):] != name {
			t.Fatalf("the cursor from %q is at %v, want %q", start, f, name)
		}
	}
	if f := c.Next(); len(want) < 70 && (f != nil || c.Next() != nil) {
		t.Fatalf("the cursor from %q has %q after the end", start, f.path)
	}
}

// TestAscending appends names in order. All pages except the last ones must be full.
func TestAscending(t *testing.T) {
	m := New[*file](len(root), 1)
	want := map[string]*file{}
	for i := range 10_000 {
		f := newFile(fmt.Sprintf("%08d", i))
		m.Append(f)
		want[f.path[len(root):]] = f
	}
	compare(t, &m, want)
	pages := 0
	visitPages(m.root, func(*page[*file]) { pages++ })
	if most := 10_000/(maxItems-2) + 3; pages > most {
		t.Errorf("%d pages, want at most %d", pages, most)
	}
}

func TestScanStops(t *testing.T) {
	m := New[*file](len(root), 1)
	if !m.Scan(func(*file) bool { return false }) {
		t.Error("the scan of an empty map was stopped")
	}
	for i := range 1000 {
		m.Insert(newFile(fmt.Sprint(i)))
	}
	for _, stop := range []int{1, 2, 500, 1000} {
		visited := 0
		all := m.Scan(func(*file) bool { visited++; return visited < stop })
		if visited != stop || all {
			t.Errorf("visited %d, want %d; all: %t", visited, stop, all)
		}
	}
	if !m.Scan(func(*file) bool { return true }) {
		t.Error("a scan to the end reports that it was stopped")
	}
	for _, start := range []string{"", "5", "500", "x"} {
		visited := 0
		if !m.ScanFrom(start, func(*file) bool { visited++; return true }) {
			t.Errorf("a scan from %q to the end reports that it was stopped", start)
		}
		if all := m.ScanFrom(start, func(*file) bool { return false }); all != (visited == 0) {
			t.Errorf("a stopped scan from %q reports %t", start, all)
		}
	}
}

// TestEmpty uses the zero Map and one from which all items were deleted.
func TestEmpty(t *testing.T) {
	emptied := New[*file](len(root), 1)
	for i := range 1000 {
		emptied.Insert(newFile(fmt.Sprint(i)))
	}
	for i := range 1000 {
		emptied.Delete(fmt.Sprint(i * 7 % 1000))
	}
	for name, m := range map[string]*Map[*file]{"zero": {}, "emptied": &emptied} {
		t.Run(name, func(t *testing.T) {
			m.Delete("x")
			if m.Len() != 0 || m.Get("x") != nil || m.root != nil || m.Rank("x") != 0 {
				t.Errorf("%d items are left", m.Len())
			}
			if c := m.Seek(""); c.Next() != nil {
				t.Error("a cursor of an empty map has an item")
			}
		})
	}
}
