package tree

import (
	"cmp"
	"slices"
	"strings"
)

// The size of a page. Larger ones are cheaper to search, smaller ones cheaper
// to copy; every batch copies the pages on the way to what it changes.
const (
	pageMax = 61 // children in a page at most; so many heads fill 256 bytes
	pageMin = 16 // below which a page is joined with a neighbour
)

// page is a node of a directory's B-tree.
type page struct {
	epoch uint64
	items []*Node
	kids  []*page // one more than items; nil in a leaf
	heads *heads  // nil in a small page
}

// heads are four bytes of each name in a page, behind what the names have in
// common. A binary search looks at six nodes and their paths, which lie anywhere in
// memory; by the heads it looks at one. They are a hint: a name that they don't tell
// from others, or that has another beginning, is looked for by itself.
//
// They stay the same when a node takes the place of another of its name, so the
// copies of a page share them until one gains or loses a name.
type heads struct {
	epoch uint64
	skip  int32 // how many bytes the names have in common
	of    [pageMax]uint32
}

// headOf gives four bytes of a name in an order that is that of the names.
func headOf(name string, skip int32) (head uint32) {
	for i := skip; i < skip+4; i++ {
		head <<= 8
		if int(i) < len(name) {
			head |= uint32(name[i])
		}
	}
	return head
}

// common is how many bytes two names have in common.
func common(a, b string) int32 {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return int32(n)
}

func (d *directory) name(p *page, i int) string { return p.items[i].Path()[d.skip:] }

// search gives the place of a name in a page, and whether it is there.
func (d *directory) search(p *page, name string) (int, bool) {
	if p.heads != nil {
		if i, found, sure := d.searchHeads(p, name); sure {
			return i, found
		}
	}
	low, high := 0, len(p.items)
	for low < high {
		mid := int(uint(low+high) >> 1)
		switch c := cmp.Compare(d.name(p, mid), name); {
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

// searchHeads is search by the heads. It is not always sure.
func (d *directory) searchHeads(p *page, name string) (i int, found, sure bool) {
	head := headOf(name, p.heads.skip)
	i = p.firstNotBelow(head)
	other := d.name(p, min(i, len(p.items)-1))
	if i < len(p.items) && p.heads.of[i] == head {
		found = other == name
		return i, found, found
	}
	return i, false, strings.HasPrefix(name, other[:p.heads.skip])
}

// firstNotBelow gives the place of the first name whose head is not below this one.
func (p *page) firstNotBelow(head uint32) int {
	low, high := 0, len(p.items)
	for low < high {
		mid := int(uint(low+high) >> 1)
		if p.heads.of[mid] < head {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// own gives a page that this batch may change, in the place of the one at pp.
func (d *directory) own(pp **page) *page {
	if p := *pp; p.epoch != d.epoch {
		*pp = &page{epoch: d.epoch, items: slices.Clone(p.items), kids: slices.Clone(p.kids), heads: p.heads}
	}
	return *pp
}

// index makes the heads of a page, which is owned.
func (d *directory) index(p *page) {
	p.heads = nil
	if len(p.items) < pageMin {
		return
	}
	// Of names in order, the first and the last have the least in common.
	h := &heads{epoch: d.epoch, skip: common(d.name(p, 0), d.name(p, len(p.items)-1))}
	for i := range p.items {
		h.of[i] = headOf(d.name(p, i), h.skip)
	}
	p.heads = h
}

// insertAt puts n into a leaf, which is owned.
func (d *directory) insertAt(p *page, i int, n *Node) {
	p.items = slices.Insert(p.items, i, n)
	last := len(p.items) - 1
	if p.heads == nil || (i == 0 || i == last) && common(d.name(p, 0), d.name(p, last)) != p.heads.skip {
		d.index(p)
		return
	}
	h := d.ownHeads(p)
	copy(h.of[i+1:], h.of[i:last])
	h.of[i] = headOf(d.name(p, i), h.skip)
}

// deleteAt takes a node from a leaf, which is owned.
func (d *directory) deleteAt(p *page, i int) {
	p.items = slices.Delete(p.items, i, i+1)
	if p.heads == nil {
		return
	}
	h := d.ownHeads(p)
	copy(h.of[i:], h.of[i+1:len(p.items)+1])
}

func (d *directory) ownHeads(p *page) *heads {
	if p.heads.epoch != d.epoch {
		h := *p.heads
		h.epoch = d.epoch
		p.heads = &h
	}
	return p.heads
}

func (p *page) scan(visit func(n *Node) bool) bool {
	for i, n := range p.items {
		if p.kids != nil && !p.kids[i].scan(visit) {
			return false
		}
		if !visit(n) {
			return false
		}
	}
	return p.kids == nil || p.kids[len(p.items)].scan(visit)
}
