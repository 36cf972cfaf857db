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
	owner    uint64
	items    []T
	children []*page[T] // one more than items; nil in a leaf
	hints    *hints     // nil in a page with few items
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
		*pp = &page[T]{owner: m.owner, items: slices.Clone(p.items), children: slices.Clone(p.children), hints: p.hints}
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
	if p.children != nil && !p.children[0].scan(visit) {
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
		if p.children != nil && !p.children[i+1].scan(visit) {
			return false
		}
	}
	return true
}

// scanFrom is Map.ScanFrom for the items at and below p.
func (m *Map[T]) scanFrom(p *page[T], name string, visit func(item T) bool) bool {
	i, found := m.search(p, name)
	if p.children != nil && !found && !m.scanFrom(p.children[i], name, visit) {
		return false
	}
	return p.scanAt(i, visit)
}
