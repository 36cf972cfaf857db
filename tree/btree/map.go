package btree

import "slices"

// Item is the type of the items in a Map, usually a pointer. The path must not change
// while the item is in a map.
type Item interface {
	comparable
	// Path is called often, so it must be cheap.
	Path() string
}

// Map is an ordered map from names to items. The name of an item is its path without the
// first bytes, which are the same for all items of the map. The zero Map is empty. It may
// be read and cloned, but not changed.
type Map[T Item] struct {
	owner  uint64
	root   *page[T]
	count  int32
	prefix uint16 // the number of bytes of a path before the name
	counts bool   // see NewCounted
}

// New returns an empty map. prefix is the number of bytes of each path before the name, at most 65535.
// The package comment explains owner.
func New[T Item](prefix int, owner uint64) Map[T] {
	return Map[T]{owner: owner, prefix: uint16(prefix)}
}

// NewCounted is New for a map whose pages hold the numbers of the items below them, so that Rank takes as long as Get. Its changes
// copy more memory.
func NewCounted[T Item](prefix int, owner uint64) Map[T] {
	return Map[T]{owner: owner, prefix: uint16(prefix), counts: true}
}

// Clone returns a map with the same items that may be changed. m must not be changed
// afterwards.
func (m *Map[T]) Clone(owner uint64) Map[T] {
	c := *m
	c.owner = owner
	return c
}

// Owner returns the owner that was passed to New or Clone.
func (m *Map[T]) Owner() uint64 { return m.owner }

// Len returns the number of items.
func (m *Map[T]) Len() int { return int(m.count) }

// Get returns the item with a name, or the zero T if the map has none.
func (m *Map[T]) Get(name string) (item T) {
	for p := m.root; p != nil; {
		i, found := m.search(p, name)
		if found {
			return p.items[i]
		}
		if p.inner == nil {
			return item
		}
		p = p.inner.children[i]
	}
	return item
}

// Scan visits the items in the order of their names. It stops and returns false if visit
// returns false.
func (m *Map[T]) Scan(visit func(item T) bool) bool {
	return m.root == nil || m.root.scan(visit)
}

// ScanFrom visits the items whose names are not less than name, in the order of their names. It stops and returns false if
// visit returns false. Finding the first item takes as long as Get.
func (m *Map[T]) ScanFrom(name string, visit func(item T) bool) bool {
	return m.root == nil || m.scanFrom(m.root, name, visit)
}

// Insert adds an item. The map must not hold an item with the same name.
func (m *Map[T]) Insert(item T) {
	name := m.name(item)
	m.count++
	if m.root == nil {
		m.root = newPage(m.owner, []T{item}, nil)
		return
	}
	if root := m.mutable(&m.root); len(root.items) == maxItems {
		m.root = newPage(m.owner, nil, []*page[T]{root})
		m.recount(m.root)
		m.split(m.root, 0, name)
	}
	for p := m.root; ; {
		i, _ := m.search(p, name)
		if p.inner == nil {
			m.insertAt(p, i, item)
			return
		}
		if child := m.mutable(&p.inner.children[i]); len(child.items) == maxItems {
			m.split(p, i, name)
			if name > m.name(p.items[i]) {
				i++
			}
		}
		m.addCount(p, i, 1)
		p = p.inner.children[i]
	}
}

// Append is Insert for items that mostly come in ascending order: if an item is greater
// than all others, it is added without a search. If the map holds an item with the same
// name, Append changes nothing and returns false.
func (m *Map[T]) Append(item T) bool {
	p := m.root
	if p != nil {
		p = m.mutable(&m.root)
	}
	for p != nil && p.inner != nil {
		p = m.mutable(p.lastChild())
	}
	if p != nil && len(p.items) < maxItems && m.name(item) > m.name(p.items[len(p.items)-1]) {
		m.insertAt(p, len(p.items), item)
		m.count++
		for p := m.root; m.counts && p.inner != nil; p = *p.lastChild() {
			m.addCount(p, len(p.items), 1)
		}
		return true
	}
	var none T
	if m.Get(m.name(item)) != none {
		return false
	}
	m.Insert(item)
	return true
}

// Replace replaces the item with the same name. The map must hold such an item.
func (m *Map[T]) Replace(item T) {
	name := m.name(item)
	for p := m.mutable(&m.root); ; {
		i, found := m.search(p, name)
		if found {
			p.items[i] = item
			return
		}
		p = m.mutable(&p.inner.children[i])
	}
}

// split divides the full page at place i of the children of p into two pages, and moves the item between
// them to p. name is the name of the item that will be inserted. If name is greater than
// all names of the page, split divides the page near its end, so that items in ascending
// order fill the pages. Otherwise it divides the page in the middle. p and the child must
// be mutable.
func (m *Map[T]) split(p *page[T], i int, name string) {
	left := p.inner.children[i]
	mid := maxItems / 2
	if name > m.name(left.items[maxItems-1]) {
		mid = maxItems - 2
	}
	median := left.items[mid]
	// The halves must not share an array: one half would keep alive items that are later
	// deleted from the other.
	var moved []*page[T]
	if left.inner != nil {
		moved = slices.Clone(left.inner.children[mid+1:])
		left.inner.children = slices.Clone(left.inner.children[:mid+1])
	}
	right := newPage(m.owner, slices.Clone(left.items[mid+1:]), moved)
	left.items = slices.Clone(left.items[:mid])
	p.items = slices.Insert(p.items, i, median)
	p.inner.children = slices.Insert(p.inner.children, i+1, right)
	m.rebuild(left, right, p)
}
