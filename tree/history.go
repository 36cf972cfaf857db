package tree

import "sync/atomic"

// history is a ring of the last events. Every index has exactly one event, so the
// place of an event follows from its index. One goroutine adds events. Any goroutine
// reads them, without a lock.
type history struct {
	slots []atomic.Pointer[Event]
	// start is the index of the first event that this ring was given. It is set before
	// other goroutines read the ring.
	start uint64
}

func newHistory(size int) *history {
	return &history{slots: make([]atomic.Pointer[Event], max(size, 1))}
}

func (h *history) size() uint64 { return uint64(len(h.slots)) }

func (h *history) add(e *Event) { h.slots[e.Index()%h.size()].Store(e) }

// replace takes over the events of another ring, which must have the same size.
func (h *history) replace(from *history) {
	for i := range h.slots {
		h.slots[i].Store(from.slots[i].Load())
	}
	h.start = from.start
}

// at returns the event of an index, or nil if the ring does not hold it.
func (h *history) at(index uint64) *Event {
	e := h.slots[index%h.size()].Load()
	if e == nil || e.Index() != index {
		return nil
	}
	return e
}

// oldest is the index of the oldest event in the ring if newest is that of the newest.
func (h *history) oldest(newest uint64) uint64 {
	if newest < h.size() {
		return h.start
	}
	return max(h.start, newest-h.size()+1)
}
