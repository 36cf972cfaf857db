package tree

import "sync/atomic"

// history is a ring buffer of the last events. Every index has exactly one event, except for
// one range of skipped indexes, so the slot of an event follows from its index. Only the applying goroutine may add events.
// Any goroutine may read them, without a lock.
type history struct {
	slots []atomic.Pointer[Event]
	// start is the index of the first event of this history. Before any event is added,
	// it is the index of the next one. It is set before other goroutines read the history.
	start uint64
	// skipped are the indexes that have no events and no slots. It is nil if there are none. It is set before an index above it is
	// published.
	skipped atomic.Pointer[indexRange]
}

func newHistory(size int) *history {
	return &history{slots: make([]atomic.Pointer[Event], max(size, 1))}
}

func (h *history) size() uint64 { return uint64(len(h.slots)) }

// slot returns the slot of an index that is not skipped.
func (h *history) slot(index uint64) *atomic.Pointer[Event] {
	if s := h.skipped.Load(); s != nil && index > s.last {
		index -= s.len()
	}
	return &h.slots[index%h.size()]
}

func (h *history) add(e *Event) { h.slot(e.Index()).Store(e) }

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
	h.start = last + 1
}

// replace copies the events of another history, which must have the same size.
func (h *history) replace(from *history) {
	for i := range h.slots {
		h.slots[i].Store(from.slots[i].Load())
	}
	h.start = from.start
	h.skipped.Store(from.skipped.Load())
}

// at returns the event with an index, or nil if the history does not hold it. The index must not be skipped.
func (h *history) at(index uint64) *Event {
	e := h.slot(index).Load()
	if e == nil || e.Index() != index {
		return nil
	}
	return e
}

// oldest returns the index of the oldest event in the history. newest is the index of the
// newest event.
func (h *history) oldest(newest uint64) uint64 {
	s := h.skipped.Load()
	if s != nil && newest >= s.last {
		newest -= s.len()
	}
	if newest < h.size() {
		return h.start
	}
	oldest := newest - h.size() + 1
	if s != nil && oldest >= s.first {
		oldest += s.len()
	}
	return max(h.start, oldest)
}
