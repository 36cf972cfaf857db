package btree

import (
	"cmp"
	"slices"
)

// The size of a page. Larger pages are cheaper to search. Smaller pages are cheaper to copy,
// and every batch copies the pages from the root to each change.
const (
	maxItems = 61
	minItems = 16 // a deletion that leaves fewer merges the page with a neighbour
)

// page is a node of the B-tree.
type page[T Item] struct {
	owner uint64
	items []T
	inner *inner[T] // nil in a leaf
	hints *hints    // nil in a page with few items
}

// inner is the part of a page that a leaf does not have.
type inner[T Item] struct {
	children []*page[T] // one more than items
	counts   *counts    // nil if the map does not count
}

// counts holds the number of items at and below each child of a page.
type counts [maxItems + 1]int32

// innerPage is a page with its inner part: one object of the allocator.
type innerPage[T Item] struct {
	page[T]
	below inner[T]
}

// newPage makes a page. It keeps the slices. children is nil for a leaf.
func newPage[T Item](owner uint64, items []T, children []*page[T]) *page[T] {
	if children == nil {
		return &page[T]{owner: owner, items: items}
	}
	p := &innerPage[T]{page: page[T]{owner: owner, items: items}, below: inner[T]{children: children}}
	p.inner = &p.below
	return &p.page
}

// children returns the children of a page. It is nil for a leaf.
func (p *page[T]) children() []*page[T] {
	if p.inner == nil {
		return nil
	}
	return p.inner.children
}

// lastChild returns the address of the last child of an inner page.
func (p *page[T]) lastChild() **page[T] { return &p.inner.children[len(p.items)] }

// copy returns a copy of a page with another owner. The two share their hints, the items and the children.
func (p *page[T]) copy(owner uint64) *page[T] {
	c := newPage(owner, slices.Clone(p.items), slices.Clone(p.children()))
	c.hints = p.hints
	if p.inner != nil && p.inner.counts != nil {
		counts := *p.inner.counts
		c.inner.counts = &counts
	}
	return c
}

// name returns the name of an item.
func (m *Map[T]) name(item T) string { return item.Path()[m.prefix:] }

// search returns the place of a name among the items of a page, and whether the page has
// an item with this name.
func (m *Map[T]) search(p *page[T], name string) (place int, found bool) {
	if p.hints != nil {
		if i, found, certain := m.searchHints(p, name); certain {
			return i, found
		}
	}
	low, high := 0, len(p.items)
	for low < high {
		mid := int(uint(low+high) >> 1)
		switch c := cmp.Compare(m.name(p.items[mid]), name); {
		case c == 0:
			return mid, true
		case c < 0:
			low = mid + 1
		default:
			high = mid
		}
	}
	return low, false
}

// mutable returns the page at pp for changes. If this map does not own the page, it first
// replaces the page by a copy that it owns.
func (m *Map[T]) mutable(pp **page[T]) *page[T] {
	if p := *pp; p.owner != m.owner {
		*pp = p.copy(m.owner)
	}
	return *pp
}

// insertAt inserts an item into a leaf at place i. The leaf must be mutable.
func (m *Map[T]) insertAt(p *page[T], i int, item T) {
	p.items = slices.Insert(p.items, i, item)
	m.insertHint(p, i)
}

// deleteAt deletes the item at place i of a leaf. The leaf must be mutable.
func (m *Map[T]) deleteAt(p *page[T], i int) {
	p.items = slices.Delete(p.items, i, i+1)
	m.deleteHint(p, i)
}

// scan is Map.Scan for the items at and below p.
func (p *page[T]) scan(visit func(item T) bool) bool {
	if p.inner != nil && !p.inner.children[0].scan(visit) {
		return false
	}
	return p.scanAt(0, visit)
}

// scanAt visits the item at place i of p, and all items at and below p that are greater. It stops and returns false if visit
// returns false.
func (p *page[T]) scanAt(i int, visit func(item T) bool) bool {
	for ; i < len(p.items); i++ {
		if !visit(p.items[i]) {
			return false
		}
		if p.inner != nil && !p.inner.children[i+1].scan(visit) {
			return false
		}
	}
	return true
}

// scanFrom is Map.ScanFrom for the items at and below p.
func (m *Map[T]) scanFrom(p *page[T], name string, visit func(item T) bool) bool {
	i, found := m.search(p, name)
	if p.inner != nil && !found && !m.scanFrom(p.inner.children[i], name, visit) {
		return false
	}
	return p.scanAt(i, visit)
}
