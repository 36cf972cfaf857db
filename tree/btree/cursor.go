package btree

// Cursor reads the items of a map one by one, in the order of their names. The map must not be changed while the cursor is used. The
// zero Cursor has no items.
type Cursor[T Item] struct {
	places [maxDepth]place[T] // the path from the root to the next item
	depth  int                // the number of places in use
}

// place is a place in a page: the items before it, and the pages of their children, were read.
type place[T Item] struct {
	page *page[T]
	i    int
}

// maxDepth is more than the number of levels of a map with the largest possible number of items: an inner page has at least minItems
// items, the root excepted.
const maxDepth = 10

// Seek returns a cursor whose first item is the first one with a name that is not less than name.
func (m *Map[T]) Seek(name string) (c Cursor[T]) {
	for p := m.root; p != nil; {
		i, found := m.search(p, name)
		c.push(p, i)
		if found || p.inner == nil {
			break
		}
		p = p.inner.children[i]
	}
	return c
}

func (c *Cursor[T]) push(p *page[T], i int) {
	c.places[c.depth] = place[T]{p, i}
	c.depth++
}

// Next returns the next item, or the zero T at the end.
func (c *Cursor[T]) Next() (item T) {
	for c.depth > 0 {
		at := &c.places[c.depth-1]
		if at.i == len(at.page.items) {
			c.depth--
			continue
		}
		item = at.page.items[at.i]
		at.i++
		if at.page.inner != nil {
			c.descend(at.page.inner.children[at.i])
		}
		return item
	}
	return item
}

// descend adds the places of the first items of the pages from p to its first leaf.
func (c *Cursor[T]) descend(p *page[T]) {
	for {
		c.push(p, 0)
		if p.inner == nil {
			return
		}
		p = p.inner.children[0]
	}
}

// Before returns the item with the greatest name that is less than name, or the zero T if there is none.
func (m *Map[T]) Before(name string) (item T) {
	for p := m.root; p != nil; {
		i, _ := m.search(p, name)
		if i > 0 {
			item = p.items[i-1]
		}
		if p.inner == nil {
			break
		}
		p = p.inner.children[i]
	}
	return item
}

// Last returns the item with the greatest name, or the zero T if the map is empty.
func (m *Map[T]) Last() (item T) {
	p := m.root
	for p != nil && p.inner != nil {
		p = *p.lastChild()
	}
	if p != nil {
		item = p.items[len(p.items)-1]
	}
	return item
}
