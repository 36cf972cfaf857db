package btree

import (
	"cmp"
	"slices"
	"testing"
	"unsafe"
)

// TestPageSize checks the sizes of pages. Every directory has a page, so a larger one would cost all users memory. The sizes are classes
// of the allocator.
func TestPageSize(t *testing.T) {
	if leaf, inner := unsafe.Sizeof(page[*file]{}), unsafe.Sizeof(innerPage[*file]{}); leaf != 48 || inner != 80 {
		t.Errorf("a leaf has %d bytes, want 48; an inner page %d, want 80", leaf, inner)
	}
}

func visitPages(p *page[*file], visit func(*page[*file])) {
	visit(p)
	for _, child := range p.children() {
		visitPages(child, visit)
	}
}

// checkPage checks the invariants of the pages at and below p, and returns the number of
// levels.
func checkPage(t *testing.T, m *Map[*file], p *page[*file]) (levels int) {
	t.Helper()
	if len(p.items) == 0 || len(p.items) > maxItems {
		t.Errorf("a page has %d items", len(p.items))
	}
	if p.inner != nil && len(p.inner.children) != len(p.items)+1 {
		t.Errorf("a page of %d items has %d children", len(p.items), len(p.inner.children))
	}
	checkCounts(t, m, p)
	for i, child := range p.children() {
		below := checkPage(t, m, child)
		if i > 0 && below != levels {
			t.Errorf("one child is %d levels deep, another %d", levels, below)
		}
		levels = below
	}
	for _, item := range p.items[len(p.items):cap(p.items)] {
		if item != nil {
			t.Errorf("a page keeps %q alive", item.path)
		}
	}
	checkHints(t, m, p)
	return levels + 1
}

// checkCounts checks the counts of an inner page.
func checkCounts(t *testing.T, m *Map[*file], p *page[*file]) {
	t.Helper()
	if p.inner == nil {
		return
	}
	if !m.counts {
		if p.inner.counts != nil {
			t.Error("a map that does not count has a page with counts")
		}
		return
	}
	for i, child := range p.inner.children {
		items := 0
		visitPages(child, func(p *page[*file]) { items += len(p.items) })
		if int(p.inner.counts[i]) != items {
			t.Errorf("child %d has %d items, but the count is %d", i, items, p.inner.counts[i])
		}
	}
}

// checkHints checks that a page of minItems or more has hints, that the hints agree with the
// names, and that a search finds the place of each name, whether it is in the page or not.
func checkHints(t *testing.T, m *Map[*file], p *page[*file]) {
	t.Helper()
	if p.hints == nil {
		if len(p.items) >= minItems {
			t.Errorf("a page of %d has no hints", len(p.items))
		}
		return
	}
	for i := range p.items {
		name := m.name(p.items[i])
		hint := hintOf(name, p.hints.common)
		if p.hints.values[i] != hint {
			t.Errorf("the hint of %q is %x, want %x", name, p.hints.values[i], hint)
		}
		first := slices.Index(p.hints.values[:len(p.items)], hint)
		if place := p.hints.search(hint, len(p.items)); place != first {
			t.Errorf("the hints place %q at %d, want %d", name, place, first)
		}
		for _, other := range []string{name[:len(name)-1], name[:len(name)/2], name + "0", name + "\x00", "\x00", "\xff\xff\xff\xff\xff"} {
			place, found := slices.BinarySearchFunc(p.items, other, func(f *file, name string) int { return cmp.Compare(m.name(f), name) })
			if gotPlace, gotFound := m.search(p, other); gotPlace != place || gotFound != found {
				t.Errorf("search of %q returns %d, %t, want %d, %t", other, gotPlace, gotFound, place, found)
			}
		}
	}
}
