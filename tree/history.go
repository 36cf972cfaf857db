package tree

import "sync/atomic"

// history holds the last events. Every index has exactly one event, except for one range of skipped indexes, so the place of an event
// follows from its index. Only the applying goroutine may change a history. Any goroutine may read events, without a lock.
//
// The history is a ring of the last events until grow is called. From then on it is a list of pages that keeps all events until drop is
// called.
type history struct {
	slots []atomic.Pointer[Event] // the ring; empty after grow
	pages atomic.Pointer[eventPages]
	// start is the index of the first event of this history. Before any event is added,
	// it is the index of the next one. Only the applying goroutine uses it.
	start uint64
	// skipped are the indexes that have no events and no slots. It is nil if there are none. It is set before an index above it is
	// published.
	skipped atomic.Pointer[indexRange]
}

func newHistory(size int) *history {
	return &history{slots: make([]atomic.Pointer[Event], max(size, 1))}
}

// size returns the number of events that the ring holds.
func (h *history) size() uint64 { return uint64(len(h.slots)) }

// place returns the number of an index that is not skipped: indexes without gaps have numbers without gaps.
func (h *history) place(index uint64) uint64 {
	if s := h.skipped.Load(); s != nil && index > s.last {
		index -= s.len()
	}
	return index
}

// indexAt returns the index with a place.
func (h *history) indexAt(place uint64) uint64 {
	if s := h.skipped.Load(); s != nil && place >= s.first {
		place += s.len()
	}
	return place
}

// slot returns the slot in the ring of an index that is not skipped.
func (h *history) slot(index uint64) *atomic.Pointer[Event] { return &h.slots[h.place(index)%h.size()] }

// displaced returns the event that the ring drops for an event with an index, or nil.
func (h *history) displaced(index uint64) *Event {
	if h.pages.Load() != nil {
		return nil
	}
	return h.slot(index).Load()
}

func (h *history) add(e *Event) {
	if p := h.pages.Load(); p != nil {
		h.addPaged(p, e)
		return
	}
	h.slot(e.Index()).Store(e)
}

// next returns the first index from the given one on that is not skipped.
func (h *history) next(index uint64) uint64 {
	if s := h.skipped.Load(); s != nil && index >= s.first && index <= s.last {
		return s.last + 1
	}
	return index
}

// previous returns the last index up to the given one that is not skipped.
func (h *history) previous(index uint64) uint64 {
	if s := h.skipped.Load(); s != nil && index >= s.first && index <= s.last {
		return s.first - 1
	}
	return index
}

// reset drops all events. The next one has the index after last.
func (h *history) reset(last uint64) {
	for i := range h.slots {
		h.slots[i].Store(nil)
	}
	if h.pages.Load() != nil {
		h.pages.Store(&eventPages{})
	}
	h.start = last + 1
}

// replace copies the events of another history, whose ring must have the same size. from must not be used afterwards.
func (h *history) replace(from *history) {
	h.skipped.Store(from.skipped.Load())
	h.start = from.start
	h.pages.Store(from.pages.Load())
	for i := range h.slots {
		h.slots[i].Store(from.slots[i].Load())
	}
}

// at returns the event with an index, or nil if the history does not hold it. The index must not be skipped.
func (h *history) at(index uint64) *Event {
	p := h.pages.Load()
	if p == nil {
		if e := h.slot(index).Load(); e != nil && e.Index() == index {
			return e
		}
		// grow may have moved the events since the pages were loaded.
		if p = h.pages.Load(); p == nil {
			return nil
		}
	}
	if e := p.at(h.place(index)); e != nil && e.Index() == index {
		return e
	}
	return nil
}

// oldest returns the index of the oldest event in the history. newest is the index of the
// newest event.
func (h *history) oldest(newest uint64) uint64 {
	if h.pages.Load() != nil {
		return h.start
	}
	return max(h.start, h.last(newest, h.size()))
}

// last returns the index of the first of the last n events. newest is the index of the newest event. It returns 0 if there may be fewer
// events.
func (h *history) last(newest, n uint64) uint64 {
	place := h.place(h.previous(newest))
	if place < n {
		return 0
	}
	return h.indexAt(place - n + 1)
}
