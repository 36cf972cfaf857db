package btree

import "slices"

// Delete removes the item with a name, if there is one.
func (m *Map[T]) Delete(name string) {
	var none T
	if m.Get(name) == none {
		return
	}
	m.count--
	root := m.mutable(&m.root)
	m.deleteFrom(root, name)
	if len(root.items) == 0 {
		m.root = nil
		if root.inner != nil {
			m.root = root.inner.children[0]
		}
	}
}

// deleteFrom removes the item with a name from the pages at and below p. There must be
// such an item, and p must be mutable.
func (m *Map[T]) deleteFrom(p *page[T], name string) {
	i, found := m.search(p, name)
	switch {
	case p.inner == nil:
		m.deleteAt(p, i)
		return
	case found: // replace it by the item before it, which is in a leaf
		p.items[i] = m.deleteLast(m.mutable(&p.inner.children[i]))
		m.rebuildHints(p)
	default:
		m.deleteFrom(m.mutable(&p.inner.children[i]), name)
	}
	m.addCount(p, i, -1)
	m.rebalance(p, i)
}

// deleteLast removes the last item of the pages at and below p, and returns it. p
// must be mutable.
func (m *Map[T]) deleteLast(p *page[T]) T {
	if p.inner == nil {
		last := len(p.items) - 1
		item := p.items[last]
		m.deleteAt(p, last)
		return item
	}
	last := len(p.items)
	item := m.deleteLast(m.mutable(p.lastChild()))
	m.addCount(p, last, -1)
	m.rebalance(p, last)
	return item
}

// rebalance restores the invariants after a deletion in the child of p at place i. If this page has
// fewer than minItems items, rebalance merges it with a neighbour, or divides the items
// of both evenly if they do not fit into one page. p must be mutable.
func (m *Map[T]) rebalance(p *page[T], i int) {
	pages := p.inner.children
	if len(pages[i].items) >= minItems {
		return
	}
	i = max(i-1, 0)
	left, right := pages[i], pages[i+1]
	items := slices.Concat(left.items, []T{p.items[i]}, right.items)
	children := slices.Concat(left.children(), right.children())
	if len(items) <= maxItems {
		pages[i] = newPage(m.owner, items, children)
		p.items = slices.Delete(p.items, i, i+1)
		p.inner.children = slices.Delete(pages, i+1, i+2)
		m.rebuild(pages[i], p)
		return
	}
	mid := len(items) / 2
	var l, r []*page[T]
	if children != nil {
		l, r = slices.Clone(children[:mid+1]), slices.Clone(children[mid+1:])
	}
	pages[i] = newPage(m.owner, slices.Clone(items[:mid]), l)
	pages[i+1] = newPage(m.owner, slices.Clone(items[mid+1:]), r)
	p.items[i] = items[mid]
	m.rebuild(pages[i], pages[i+1], p)
}

// rebuild sets the hints and the counts of pages from their items and children. The pages must be mutable, and children must come
// before their parents.
func (m *Map[T]) rebuild(pages ...*page[T]) {
	for _, p := range pages {
		m.rebuildHints(p)
		m.recount(p)
	}
}

// DeleteAll removes items that the map holds. They must be in the order of their names. If they are many, DeleteAll makes new pages of the
// other items, which takes much less time than a call of Delete for each.
func (m *Map[T]) DeleteAll(items []T) {
	switch {
	case len(items) == m.Len():
		m.root, m.count = nil, 0
	case len(items) < m.Len()/rebuiltShare:
		for _, item := range items {
			m.Delete(m.name(item))
		}
	default:
		left := Map[T]{owner: m.owner, prefix: m.prefix, counts: m.counts}
		m.Scan(func(item T) bool {
			if len(items) > 0 && item == items[0] {
				items = items[1:]
			} else {
				left.Append(item)
			}
			return true
		})
		*m = left
	}
}

// rebuiltShare is the share of the items of a map from which on DeleteAll makes new pages. To append an item takes a third of the time of a
// Delete.
const rebuiltShare = 4
