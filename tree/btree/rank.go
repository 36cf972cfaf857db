package btree

// Rank returns the number of items whose names are less than name. In a map of NewCounted it takes as long as Get. In another map
// it visits the pages of these items, but not the items.
func (m *Map[T]) Rank(name string) int {
	rank := 0
	for p := m.root; p != nil; {
		i, found := m.search(p, name)
		rank += i
		if p.inner == nil {
			return rank
		}
		for child := range i {
			rank += p.inner.size(child)
		}
		if found {
			return rank + p.inner.size(i)
		}
		p = p.inner.children[i]
	}
	return rank
}

// size returns the number of items at and below the child at a place.
func (n *inner[T]) size(child int) int {
	if n.counts != nil {
		return int(n.counts[child])
	}
	return n.children[child].size()
}

// size returns the number of items at and below p.
func (p *page[T]) size() int {
	total := len(p.items)
	for i := range p.children() {
		total += p.inner.size(i)
	}
	return total
}

// recount sets the counts of a page from its children, if the map counts. The page must be mutable.
func (m *Map[T]) recount(p *page[T]) {
	if !m.counts || p.inner == nil {
		return
	}
	p.inner.counts = new(counts)
	for i, child := range p.inner.children {
		p.inner.counts[i] = int32(child.size())
	}
}

// addCount adds n to the count of the child at place i, if the map counts. The page must be mutable.
func (m *Map[T]) addCount(p *page[T], i int, n int32) {
	if m.counts {
		p.inner.counts[i] += n
	}
}
