package tree

import (
	"iter"
	"sort"
)

// EventList is a list of events with consecutive indexes, the oldest first. Skipped indexes have no events. A list never changes, so any
// goroutine may read it. It keeps in memory what its events have removed. The zero value is an empty list.
type EventList struct {
	// pages are sealed pages. The list begins with the events of these pages from the slot offset of the first page on: their number is
	// sealed.
	pages          []*eventPage
	offset, sealed int
	rest           []*Event // the events after those of pages
}

// list returns the events from the index first to the index last. It returns false if the history does not hold all of them. Any
// goroutine may call it.
func (h *history) list(first, last uint64) (l EventList, ok bool) {
	if first = h.next(first); first > last {
		return l, true
	}
	place, end := h.place(first), h.place(h.previous(last))+1
	if p := h.pages.Load(); p != nil {
		if page := p.page(place); page == nil || page.node(place%pageEvents) == nil { // the first events are dropped first
			return l, false
		}
		from, to := min((place-p.first)/pageEvents, uint64(p.sealed)), min((end-1-p.first)/pageEvents+1, uint64(p.sealed))
		if from < to {
			l.pages, l.offset = p.list[from:to:to], int(place%pageEvents)
			l.sealed = int(min(end, p.first+to*pageEvents) - place)
			place += uint64(l.sealed)
		}
	}
	l.rest = make([]*Event, 0, end-place)
	for ; place < end; place++ {
		e := h.at(h.indexAt(place))
		if e == nil {
			return l, false
		}
		l.rest = append(l.rest, e)
	}
	return l, true
}

// Len returns the number of events.
func (l *EventList) Len() int { return l.sealed + len(l.rest) }

// At returns the event with a number from 0 to Len()-1. Two calls may return different objects for one event.
func (l *EventList) At(i int) *Event {
	if i >= l.sealed {
		return l.rest[i-l.sealed]
	}
	i += l.offset
	return l.pages[i/pageEvents].at(uint64(i % pageEvents))
}

// All visits all events.
func (l *EventList) All() iter.Seq[*Event] { return l.from(0) }

// from visits the events from a number on.
func (l *EventList) from(i int) iter.Seq[*Event] {
	return func(yield func(*Event) bool) {
		for ; i < l.Len(); i++ {
			if !yield(l.At(i)) {
				return
			}
		}
	}
}

// after visits the events after a revision. The revisions of the list must not decrease.
func (l *EventList) after(revision uint64) iter.Seq[*Event] {
	return l.from(sort.Search(l.Len(), func(i int) bool { return l.revision(i) > revision }))
}

// revision returns the revision of the event with a number.
func (l *EventList) revision(i int) uint64 {
	if i >= l.sealed {
		return l.rest[i-l.sealed].Revision()
	}
	i += l.offset
	return l.pages[i/pageEvents].node(uint64(i % pageEvents)).ModRevision()
}
