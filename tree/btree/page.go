package btree

import (
	"cmp"
	"slices"
)

// The size of a page. Larger pages are cheaper to search, smaller ones cheaper to
// copy; every batch of changes copies the pages on the way to what it changes.
const (
	maxItems = 61
	minItems = 16 // a page with fewer is merged with a neighbour
)

// page is a node of the B-tree.
type page[T Item] struct {
	owner    uint64
	items    []T
	children []*page[T] // one more than items; nil in a leaf
	hints    *hints     // nil in a page with few items
}

// name is the part of an item's path by which the map orders it.
func (m *Map[T]) name(item T) string { return item.Path()[m.prefix:] }

// search gives the place of a name among the items of a page, and whether an item
// of that name is there.
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

// mutable replaces the page at pp by a copy that this map owns, unless it owns the
// page already, and returns it.
func (m *Map[T]) mutable(pp **page[T]) *page[T] {
	if p := *pp; p.owner != m.owner {
		*pp = &page[T]{owner: m.owner, items: slices.Clone(p.items), children: slices.Clone(p.children), hints: p.hints}
	}
	return *pp
}

// insertAt puts an item into a leaf. The leaf must be mutable.
func (m *Map[T]) insertAt(p *page[T], i int, item T) {
	p.items = slices.Insert(p.items, i, item)
	m.insertHint(p, i)
}

// deleteAt removes an item from a leaf. The leaf must be mutable.
func (m *Map[T]) deleteAt(p *page[T], i int) {
	p.items = slices.Delete(p.items, i, i+1)
	m.deleteHint(p, i)
}

// scan visits the items at and below p in order until visit returns false, and
// reports whether it visited all.
func (p *page[T]) scan(visit func(item T) bool) bool {
	for i, item := range p.items {
		if p.children != nil && !p.children[i].scan(visit) {
			return false
		}
		if !visit(item) {
			return false
		}
	}
	return p.children == nil || p.children[len(p.items)].scan(visit)
}
