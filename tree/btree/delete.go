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
		if root.children != nil {
			m.root = root.children[0]
		}
	}
}

// deleteFrom removes the item with a name from the pages at and below p. There must be
// such an item, and p must be mutable.
func (m *Map[T]) deleteFrom(p *page[T], name string) {
	i, found := m.search(p, name)
	switch {
	case p.children == nil:
		m.deleteAt(p, i)
		return
	case found: // replace it by the item before it, which is in a leaf
		p.items[i] = m.deleteLast(m.mutable(&p.children[i]))
		m.rebuildHints(p)
	default:
		m.deleteFrom(m.mutable(&p.children[i]), name)
	}
	m.rebalance(p, i)
}

// deleteLast removes the last item of the pages at and below p, and returns it. p
// must be mutable.
func (m *Map[T]) deleteLast(p *page[T]) T {
	if p.children == nil {
		last := len(p.items) - 1
		item := p.items[last]
		m.deleteAt(p, last)
		return item
	}
	last := len(p.children) - 1
	item := m.deleteLast(m.mutable(&p.children[last]))
	m.rebalance(p, last)
	return item
}

// rebalance restores the invariants after a deletion in p.children[i]. If this page has
// fewer than minItems items, rebalance merges it with a neighbour, or divides the items
// of both evenly if they do not fit into one page. p must be mutable.
func (m *Map[T]) rebalance(p *page[T], i int) {
	if len(p.children[i].items) >= minItems {
		return
	}
	i = max(i-1, 0)
	left, right := p.children[i], p.children[i+1]
	items := slices.Concat(left.items, []T{p.items[i]}, right.items)
	children := slices.Concat(left.children, right.children)
	if len(items) <= maxItems {
		p.children[i] = &page[T]{owner: m.owner, items: items, children: children}
		m.rebuildHints(p.children[i])
		p.items = slices.Delete(p.items, i, i+1)
		p.children = slices.Delete(p.children, i+1, i+2)
		m.rebuildHints(p)
		return
	}
	mid := len(items) / 2
	l := &page[T]{owner: m.owner, items: slices.Clone(items[:mid])}
	r := &page[T]{owner: m.owner, items: slices.Clone(items[mid+1:])}
	if children != nil {
		l.children, r.children = slices.Clone(children[:mid+1]), slices.Clone(children[mid+1:])
	}
	m.rebuildHints(l)
	m.rebuildHints(r)
	p.items[i], p.children[i], p.children[i+1] = items[mid], l, r
	m.rebuildHints(p)
}
