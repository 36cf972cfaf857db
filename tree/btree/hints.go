package btree

import "strings"

// hints make the search in a page cheap. The hint of a name is a number made of the four
// bytes that follow the common prefix of all names of the page. A binary search through
// the names reads six items and their paths, which are spread over the memory. A search
// through the hints reads one item in the page that holds the name, and none in most pages
// above it. The hints are not enough if two names have the same hint, or if the searched
// name does not begin with the common prefix: then the names are searched.
//
// The hints of a page do not change if an item is replaced by another one with the same
// name. So copies of a page share their hints until one copy gains or loses a name.
type hints struct {
	owner  uint64
	common int32           // length of the common prefix of the names
	prefix [maxPrefix]byte // the common prefix, if it has at most maxPrefix bytes
	values [maxItems]uint32
}

// With this maxPrefix and maxItems, hints have 288 bytes, which is a size class of the
// allocator.
const maxPrefix = 32

// hintOf returns the four bytes of a name that follow the common prefix, as a number. The
// order of the numbers is that of the names.
func hintOf(name string, common int32) (hint uint32) {
	for i := common; i < common+4; i++ {
		hint <<= 8
		if int(i) < len(name) {
			hint |= uint32(name[i])
		}
	}
	return hint
}

// commonPrefix returns the length of the common prefix of two names.
func commonPrefix(a, b string) int32 {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return int32(n)
}

// searchHints is search through the hints of a page. If certain is false, the other
// results must not be used.
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

// search returns the place of the first of n hints that is not less than hint.
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

// rebuildHints sets the hints of a page from its items. The page must be mutable.
func (m *Map[T]) rebuildHints(p *page[T]) {
	p.hints = nil
	if len(p.items) < minItems {
		return
	}
	// The names are sorted, so the common prefix of the first and the last is that of all.
	first := m.name(p.items[0])
	h := &hints{owner: m.owner, common: commonPrefix(first, m.name(p.items[len(p.items)-1]))}
	copy(h.prefix[:], first[:h.common])
	for i, item := range p.items {
		h.values[i] = hintOf(m.name(item), h.common)
	}
	p.hints = h
}

// insertHint adds the hint of the item that was just inserted at place i.
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

// deleteHint removes the hint of the item that was just deleted at place i. The common
// prefix of the remaining names may be longer now, but the hints are valid without an
// update.
func (m *Map[T]) deleteHint(p *page[T], i int) {
	if p.hints == nil {
		return
	}
	h := m.mutableHints(p)
	copy(h.values[i:], h.values[i+1:len(p.items)+1])
}

// mutableHints returns the hints of a page for changes. If this map does not own them, it
// first replaces them by a copy that it owns.
func (m *Map[T]) mutableHints(p *page[T]) *hints {
	if p.hints.owner != m.owner {
		h := *p.hints
		h.owner = m.owner
		p.hints = &h
	}
	return p.hints
}
