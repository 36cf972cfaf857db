package tree

import "sync/atomic"

// history is a ring buffer of the last events. Every index has exactly one event, so the
// slot of an event follows from its index. Only the applying goroutine may add events.
// Any goroutine may read them, without a lock.
type history struct {
	slots []atomic.Pointer[Event]
	// start is the index of the first event of this history. Before any event is added,
	// it is the index of the next one. It is set before other goroutines read the history.
	start uint64
}

func newHistory(size int) *history {
	return &history{slots: make([]atomic.Pointer[Event], max(size, 1))}
}

func (h *history) size() uint64 { return uint64(len(h.slots)) }

func (h *history) add(e *Event) { h.slots[e.Index()%h.size()].Store(e) }

// replace copies the events of another history, which must have the same size.
func (h *history) replace(from *history) {
	for i := range h.slots {
		h.slots[i].Store(from.slots[i].Load())
	}
	h.start = from.start
}

// at returns the event with an index, or nil if the history does not hold it.
func (h *history) at(index uint64) *Event {
	e := h.slots[index%h.size()].Load()
	if e == nil || e.Index() != index {
		return nil
	}
	return e
}

// oldest returns the index of the oldest event in the history. newest is the index of the
// newest event.
func (h *history) oldest(newest uint64) uint64 {
	if newest < h.size() {
		return h.start
	}
	return max(h.start, newest-h.size()+1)
}
