package btree

import "strings"

// hints are four bytes of each name in a page, taken behind the bytes that all
// names of the page have in common. A binary search through names looks at six
// items and their paths, which lie anywhere in memory; a search through the hints
// looks at one, in the page that has the name, and at none in most pages above it.
// Where the hints do not decide, because two names have the same hint or the name
// that is looked for has another beginning, the names themselves do.
//
// Replacing an item by another of the same name does not change the hints. So the
// copies of a page share them until one copy gains or loses a name.
type hints struct {
	owner  uint64
	common int32           // how many bytes at the beginning of the names are equal
	prefix [maxPrefix]byte // these bytes, if they are not more than that
	values [maxItems]uint32
}

// maxPrefix and maxItems together make hints of 288 bytes, which is a size class of
// the allocator.
const maxPrefix = 32

// hintOf gives four bytes of a name, as a number. Numbers are ordered like names.
func hintOf(name string, common int32) (hint uint32) {
	for i := common; i < common+4; i++ {
		hint <<= 8
		if int(i) < len(name) {
			hint |= uint32(name[i])
		}
	}
	return hint
}

// commonPrefix is how many bytes at the beginning of two names are equal.
func commonPrefix(a, b string) int32 {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return int32(n)
}

// searchHints is search by the hints of a page. The result holds only if it is
// certain.
func (m *Map[T]) searchHints(p *page[T], name string) (place int, found, certain bool) {
	h := p.hints
	hint := hintOf(name, h.common)
	i := h.search(hint, len(p.items))
	if i < len(p.items) && h.values[i] == hint {
		found = m.name(p.items[i]) == name
		return i, found, found
	}
	if h.common <= maxPrefix {
		return i, false, len(name) >= int(h.common) && name[:h.common] == string(h.prefix[:h.common])
	}
	return i, false, strings.HasPrefix(name, m.name(p.items[0])[:h.common])
}

// search gives the place of the first of n hints that is not less than hint.
func (h *hints) search(hint uint32, n int) int {
	low, high := 0, n
	for low < high {
		mid := int(uint(low+high) >> 1)
		if h.values[mid] < hint {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// rebuildHints makes the hints of a page anew. The page must be mutable.
func (m *Map[T]) rebuildHints(p *page[T]) {
	p.hints = nil
	if len(p.items) < minItems {
		return
	}
	// Of names in order, the first and the last have the least in common.
	first := m.name(p.items[0])
	h := &hints{owner: m.owner, common: commonPrefix(first, m.name(p.items[len(p.items)-1]))}
	copy(h.prefix[:], first[:h.common])
	for i, item := range p.items {
		h.values[i] = hintOf(m.name(item), h.common)
	}
	p.hints = h
}

// insertHint adds the hint of the item that was just put at place i.
func (m *Map[T]) insertHint(p *page[T], i int) {
	last := len(p.items) - 1
	if p.hints == nil || (i == 0 || i == last) && commonPrefix(m.name(p.items[0]), m.name(p.items[last])) != p.hints.common {
		m.rebuildHints(p)
		return
	}
	h := m.mutableHints(p)
	copy(h.values[i+1:], h.values[i:last])
	h.values[i] = hintOf(m.name(p.items[i]), h.common)
}

// deleteHint removes the hint of the item that was just taken from place i. What
// the names have in common may have grown by that; the hints stay right without it.
func (m *Map[T]) deleteHint(p *page[T], i int) {
	if p.hints == nil {
		return
	}
	h := m.mutableHints(p)
	copy(h.values[i:], h.values[i+1:len(p.items)+1])
}

// mutableHints replaces the hints of a page by a copy that this map owns, unless
// it owns them already, and returns them.
func (m *Map[T]) mutableHints(p *page[T]) *hints {
	if p.hints.owner != m.owner {
		h := *p.hints
		h.owner = m.owner
		p.hints = &h
	}
	return p.hints
}
