package tree

import (
	"slices"
	"sync/atomic"
)

// pageEvents is the number of events in a page.
const pageEvents = 1024

// eventPages are the events of a history that keeps all events until they are dropped. Neither the list nor its fields change: when a page
// is added or dropped, another eventPages takes its place.
type eventPages struct {
	first uint64 // the place of the first event of the first page, a multiple of pageEvents
	list  []*eventPage
}

// eventPage holds the events of pageEvents places. The events are added one by one, and dropped from the first one on.
type eventPage struct {
	events [pageEvents]atomic.Pointer[Event]
	// The applying goroutine alone uses the fields below. They are sizes in bytes, as eventSize returns them.
	before int64 // of all events that were added before those that the page holds now
	bytes  int64 // of the events that the page holds now
}

// at returns the event with a place, or nil.
func (p *eventPages) at(place uint64) *Event {
	if page := p.page(place); page != nil {
		return page.events[place%pageEvents].Load()
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

// appended returns the pages with one event more. It changes the last page, and adds a page if that is full. Readers of p find the event
// only if p has its page.
func (h *history) appended(p *eventPages, e *Event) *eventPages {
	place := h.place(e.Index())
	page := p.page(place)
	if page == nil {
		page = &eventPage{before: p.total()}
		first := p.first
		if len(p.list) == 0 {
			first = place - place%pageEvents
		}
		p = &eventPages{first: first, list: append(p.list, page)}
	}
	page.bytes += eventSize(e)
	page.events[place%pageEvents].Store(e)
	return p
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
		p = &eventPages{first: p.first + pages*pageEvents, list: slices.Clone(p.list[pages:])}
		h.pages.Store(p)
	}
	if len(p.list) > 0 {
		p.list[0].dropFirst(min(place-p.first, pageEvents))
	}
	h.start = index
}

// dropFirst drops the events of the first n slots.
func (p *eventPage) dropFirst(n uint64) {
	for i := range p.events[:n] {
		if e := p.events[i].Swap(nil); e != nil {
			size := eventSize(e)
			p.before += size
			p.bytes -= size
		}
	}
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
	for i := range page.events[:place%pageEvents] {
		if e := page.events[i].Load(); e != nil {
			before += eventSize(e)
		}
	}
	return p.total() - before
}

// firstWithRevision returns the index of the first event from the index oldest on, up to newest, whose revision is not less than the given
// one. It returns the index after newest if there is none. The history must hold all events from oldest to newest.
func (h *history) firstWithRevision(revision, oldest, newest uint64) uint64 {
	low, high := h.place(h.next(oldest)), h.place(h.previous(newest))+1
	for low < high {
		mid := low + (high-low)/2
		if e := h.at(h.indexAt(mid)); e == nil || e.Revision() < revision {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return h.indexAt(low)
}
