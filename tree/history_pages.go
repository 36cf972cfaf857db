package tree

import (
	"slices"
	"sync/atomic"
)

// pageEvents is the number of events in a page.
const pageEvents = 1024

// eventPages are the events of a history that keeps all events until they are dropped. Neither the list nor its fields change: when a page
// is added, sealed or dropped, another eventPages takes its place.
type eventPages struct {
	first  uint64 // the place of the first event of the first page, a multiple of pageEvents
	list   []*eventPage
	sealed int // the number of sealed pages; they are the first ones of the list
}

// eventPage holds the events of pageEvents places. The events are added one by one, and dropped from the first one on. A page that is full
// and older than the ring would be is sealed. A sealed page does not change: when some of its events are dropped, a copy takes its place.
type eventPage struct {
	events *[pageEvents]atomic.Pointer[Event] // nil in a sealed page
	sealed *sealedEvents                      // nil in any other page
	// The applying goroutine alone uses the fields below. They are sizes in bytes, as eventSize returns them.
	before int64 // of all events that were added before those that the page holds now
	bytes  int64 // of the events that the page holds now
}

// at returns the event with a place, or nil. It is a new object if the page is sealed.
func (p *eventPages) at(place uint64) *Event {
	if page := p.page(place); page != nil {
		return page.at(place % pageEvents)
	}
	return nil
}

// page returns the page of a place, or nil.
func (p *eventPages) page(place uint64) *eventPage {
	if i := (place - p.first) / pageEvents; place >= p.first && i < uint64(len(p.list)) {
		return p.list[i]
	}
	return nil
}

// at returns the event in a slot, or nil. It is a new object if the page is sealed.
func (p *eventPage) at(slot uint64) *Event {
	if p.sealed == nil {
		return p.events[slot].Load()
	}
	if p.sealed.nodes[slot] == nil {
		return nil
	}
	e := new(Event)
	p.sealed.read(slot, e)
	return e
}

// node returns the node of the event in a slot, or nil if there is no event.
func (p *eventPage) node(slot uint64) *Node {
	if p.sealed != nil {
		return p.sealed.nodes[slot]
	}
	if e := p.events[slot].Load(); e != nil {
		return e.node
	}
	return nil
}

// size returns the size of the event in a slot. It is zero if there is no event.
func (p *eventPage) size(slot uint64) int64 {
	if p.sealed != nil {
		return p.sealed.size(slot)
	}
	if e := p.events[slot].Load(); e != nil {
		return eventSize(e)
	}
	return 0
}

// total returns the size of all events that were ever added.
func (p *eventPages) total() int64 {
	if len(p.list) == 0 {
		return 0
	}
	last := p.list[len(p.list)-1]
	return last.before + last.bytes
}

// grow makes the history keep all events until drop is called. newest is the index of the newest event.
func (h *history) grow(newest uint64) {
	p := &eventPages{}
	for i := h.next(h.oldest(newest)); i <= newest; i = h.next(i + 1) {
		if e := h.slot(i).Load(); e != nil {
			p = h.appended(p, e)
		}
	}
	h.start = h.oldest(newest)
	h.pages.Store(p) // before the slots are cleared: see at
	for i := range h.slots {
		h.slots[i].Store(nil)
	}
}

// addPaged adds an event after grow.
func (h *history) addPaged(p *eventPages, e *Event) {
	if after := h.appended(p, e); after != p {
		h.pages.Store(after)
	}
}

// appended returns the pages with one event more. It changes the last page. If that is full, it adds a page, and seals the pages that are
// old enough. Readers of p find the event only if p has its page.
func (h *history) appended(p *eventPages, e *Event) *eventPages {
	place := h.place(e.Index())
	page := p.page(place)
	if page == nil {
		page = &eventPage{events: new([pageEvents]atomic.Pointer[Event]), before: p.total()}
		first := p.first
		if len(p.list) == 0 {
			first = place - place%pageEvents
		}
		p = &eventPages{first: first, list: append(slices.Clip(p.list), page), sealed: p.sealed} // Clip: readers may use p.list
		p.seal(place, max(h.size(), pageEvents))
	}
	page.bytes += eventSize(e)
	page.events[place%pageEvents].Store(e)
	return p
}

// seal seals all pages before the last events, as many as the window, the newest of which gets this place. It must be called before any
// reader has p.
func (p *eventPages) seal(place, window uint64) {
	for place >= p.first+uint64(p.sealed+1)*pageEvents+window {
		page := *p.list[p.sealed]
		page.sealed, page.events = seal(page.events), nil
		p.list[p.sealed] = &page
		p.sealed++
	}
}

// drop drops the events before an index, which must be held or the next one. It may be called only after grow. It passes each dropped
// event to dropped, unless that is nil.
func (h *history) drop(index uint64, dropped func(*Event)) {
	if index <= h.start {
		return
	}
	p := h.pages.Load()
	place := h.place(index)
	if dropped != nil {
		for i := h.place(h.start); i < place; i++ {
			if e := p.at(i); e != nil {
				dropped(e)
			}
		}
	}
	if pages := min((place-p.first)/pageEvents, uint64(len(p.list))); len(p.list) > 0 && pages > 0 {
		p = &eventPages{first: p.first + pages*pageEvents, list: slices.Clone(p.list[pages:]), sealed: max(0, p.sealed-int(pages))}
		h.pages.Store(p)
	}
	if len(p.list) > 0 {
		h.dropFirst(p, min(place-p.first, pageEvents))
	}
	h.start = index
}

// dropFirst drops the events of the first n slots of the first page.
func (h *history) dropFirst(p *eventPages, n uint64) {
	if n == 0 {
		return
	}
	page := p.list[0]
	var size int64
	for i := range n {
		size += page.size(i)
	}
	if page.sealed == nil {
		for i := range page.events[:n] {
			page.events[i].Store(nil)
		}
	} else {
		rest := *page
		rest.sealed = page.sealed.withoutFirst(n)
		page = &rest
		list := slices.Clone(p.list)
		list[0] = page
		h.pages.Store(&eventPages{first: p.first, list: list, sealed: p.sealed})
	}
	page.before += size
	page.bytes -= size
}

// bytesFrom returns the size of the events from an index on. It may be called only after grow.
func (h *history) bytesFrom(index uint64) int64 {
	p := h.pages.Load()
	place := h.place(index)
	page := p.page(place)
	if page == nil {
		return 0
	}
	before := page.before
	for i := range place % pageEvents {
		before += page.size(i)
	}
	return p.total() - before
}

// firstWithRevision returns the index of the first event from the index oldest on, up to newest, whose revision is not less than the given
// one. It returns the index after newest if there is none. The history must hold all events from oldest to newest.
func (h *history) firstWithRevision(revision, oldest, newest uint64) uint64 {
	low, high := h.place(h.next(oldest)), h.place(h.previous(newest))+1
	for low < high {
		mid := low + (high-low)/2
		if n := h.nodeAt(h.indexAt(mid)); n == nil || n.ModRevision() < revision {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return h.indexAt(low)
}

// nodeAt returns the node of the event with an index, or nil if the history does not hold the event. The index must not be skipped.
func (h *history) nodeAt(index uint64) *Node {
	if p := h.pages.Load(); p != nil {
		place := h.place(index)
		if page := p.page(place); page != nil {
			if n := page.node(place % pageEvents); n != nil && n.ModifiedIndex() == index {
				return n
			}
		}
		return nil
	}
	if e := h.at(index); e != nil {
		return e.node
	}
	return nil
}

// replaceNode gives the event with an index, which the history must hold, another node with the same numbers. No other goroutine may use
// the history.
func (h *history) replaceNode(index uint64, n *Node) {
	place := h.place(index)
	if p := h.pages.Load(); p != nil && p.page(place).sealed != nil {
		p.page(place).sealed.nodes[place%pageEvents] = n
	} else {
		h.at(index).node = n
	}
}
