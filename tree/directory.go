package tree

import "slices"

// directory holds the children of a node in the order of their names, in a
// copy-on-write B-tree. Cloning one costs the same whatever its size: the clone
// shares its pages with the original and copies those that it changes. A page
// belongs to the batch whose epoch it bears; that batch alone may change it in
// place, because no published view reaches it yet.
//
// It holds bare nodes, a third of what a map from names would need, and never
// keeps a node alive that it no longer shows: a replaced value may be large.
type directory struct {
	epoch uint64
	root  *page
	count int32
	skip  int32 // the length of the children's paths in front of their names

	// What all nodes below have together: see lineage.
	nodes, bytes int64
	// due has the entries of the children that have a TTL, and for each directory among
	// them the first entry below it; nil when there is none. It belongs to the applying goroutine.
	// A clone goes on with it, for no view looks at it.
	due *expiries
}

// childless stands for the children of a directory in an event, which shows
// none.
var childless = &directory{}

func newDirectory(path string, epoch uint64) *directory {
	skip := len(path) + 1
	if path == "/" {
		skip = 1
	}
	return &directory{epoch: epoch, skip: int32(skip)}
}

// clone gives a directory that the batch of epoch may change.
func (d *directory) clone(epoch uint64) *directory {
	c := *d
	c.epoch = epoch
	return &c
}

func (d *directory) len() int { return int(d.count) }

func (d *directory) get(name string) *Node {
	for p := d.root; p != nil; {
		i, found := d.search(p, name)
		if found {
			return p.items[i]
		}
		if p.kids == nil {
			return nil
		}
		p = p.kids[i]
	}
	return nil
}

// insert stores n under its own name, which no child has.
func (d *directory) insert(n *Node) {
	name := n.Path()[d.skip:]
	d.count++
	if d.root == nil {
		d.root = &page{epoch: d.epoch, items: []*Node{n}}
		return
	}
	if root := d.own(&d.root); len(root.items) == pageMax {
		d.root = &page{epoch: d.epoch, kids: []*page{root}}
		d.split(d.root, 0, name)
	}
	for p := d.root; ; {
		i, _ := d.search(p, name)
		if p.kids == nil {
			d.insertAt(p, i, n)
			return
		}
		if kid := d.own(&p.kids[i]); len(kid.items) == pageMax {
			d.split(p, i, name)
			if name > p.items[i].Path()[d.skip:] {
				i++
			}
		}
		p = p.kids[i]
	}
}

// replace stores n in the place of the child that has its name.
func (d *directory) replace(n *Node) {
	name := n.Path()[d.skip:]
	for p := d.own(&d.root); ; {
		i, found := d.search(p, name)
		if found {
			p.items[i] = n
			return
		}
		p = d.own(&p.kids[i])
	}
}

// split divides the full page p.kids[i], in the middle, or at the end when
// names come in order. Both halves get arrays of their own, so that neither
// keeps alive what the other loses later.
func (d *directory) split(p *page, i int, name string) {
	left := p.kids[i]
	mid := pageMax / 2
	if name > left.items[pageMax-1].Path()[d.skip:] {
		mid = pageMax - 2
	}
	median := left.items[mid]
	right := &page{epoch: d.epoch, items: slices.Clone(left.items[mid+1:])}
	left.items = slices.Clone(left.items[:mid])
	if left.kids != nil {
		right.kids = slices.Clone(left.kids[mid+1:])
		left.kids = slices.Clone(left.kids[:mid+1])
	}
	d.index(left)
	d.index(right)
	p.items = slices.Insert(p.items, i, median)
	p.kids = slices.Insert(p.kids, i+1, right)
	d.index(p)
}

// remove takes the node of that name away, if there is one.
func (d *directory) remove(name string) {
	if d.get(name) == nil {
		return
	}
	d.count--
	root := d.own(&d.root)
	d.take(root, name)
	if len(root.items) == 0 {
		d.root = nil
		if root.kids != nil {
			d.root = root.kids[0]
		}
	}
}

// take removes a name that is there from p, which is owned, and what lies
// below.
func (d *directory) take(p *page, name string) {
	i, found := d.search(p, name)
	switch {
	case p.kids == nil:
		d.deleteAt(p, i)
		return
	case found:
		p.items[i] = d.takeLast(d.own(&p.kids[i]))
		d.index(p)
	default:
		d.take(d.own(&p.kids[i]), name)
	}
	d.level(p, i)
}

// takeLast removes the last node from p, which is owned, and what lies below.
func (d *directory) takeLast(p *page) *Node {
	if p.kids == nil {
		last := len(p.items) - 1
		n := p.items[last]
		d.deleteAt(p, last)
		return n
	}
	last := len(p.kids) - 1
	n := d.takeLast(d.own(&p.kids[last]))
	d.level(p, last)
	return n
}

// level joins p.kids[i] with a neighbour when few are left in it, or shares
// with it.
func (d *directory) level(p *page, i int) {
	if len(p.kids[i].items) >= pageMin {
		return
	}
	i = max(i-1, 0)
	left, right := p.kids[i], p.kids[i+1]
	items := slices.Concat(left.items, []*Node{p.items[i]}, right.items)
	kids := slices.Concat(left.kids, right.kids)
	if len(items) <= pageMax {
		p.kids[i] = &page{epoch: d.epoch, items: items, kids: kids}
		d.index(p.kids[i])
		p.items = slices.Delete(p.items, i, i+1)
		p.kids = slices.Delete(p.kids, i+1, i+2)
		d.index(p)
		return
	}
	mid := len(items) / 2
	l := &page{epoch: d.epoch, items: slices.Clone(items[:mid])}
	r := &page{epoch: d.epoch, items: slices.Clone(items[mid+1:])}
	if kids != nil {
		l.kids, r.kids = slices.Clone(kids[:mid+1]), slices.Clone(kids[mid+1:])
	}
	d.index(l)
	d.index(r)
	p.items[i], p.kids[i], p.kids[i+1] = items[mid], l, r
	d.index(p)
}

// scan visits the children in order until visit returns false.
func (d *directory) scan(visit func(n *Node) bool) {
	if d.root != nil {
		d.root.scan(visit)
	}
}

// add is insert for names that mostly come in order; false if n's is there, which
// keeps its place.
func (d *directory) add(n *Node) bool {
	p := d.root
	for p != nil && p.kids != nil {
		p = p.kids[len(p.kids)-1]
	}
	if p != nil && len(p.items) < pageMax && n.Path()[d.skip:] > p.items[len(p.items)-1].Path()[d.skip:] {
		d.insertAt(p, len(p.items), n)
		d.count++
		return true
	}
	if d.get(n.Path()[d.skip:]) != nil {
		return false
	}
	d.insert(n)
	return true
}
