package tree

import "sync/atomic"

// history is a ring of the last events. Every index has exactly one event, so
// an event's place follows from its index. One goroutine adds; any goroutine
// reads, without a lock.
type history struct {
	slots []atomic.Pointer[Event]
	// start is the oldest index that this ring has ever held an event for. It
	// is set before the ring is shared.
	start uint64
}

func newHistory(size int) *history {
	return &history{slots: make([]atomic.Pointer[Event], max(size, 1))}
}

func (h *history) size() uint64 { return uint64(len(h.slots)) }

func (h *history) add(e *Event) { h.slots[e.Index()%h.size()].Store(e) }

// replace takes over the events of another ring of the same size.
func (h *history) replace(from *history) {
	for i := range h.slots {
		h.slots[i].Store(from.slots[i].Load())
	}
	h.start = from.start
}

// at gives the event of an index, or nil when the ring no longer holds it.
func (h *history) at(index uint64) *Event {
	e := h.slots[index%h.size()].Load()
	if e == nil || e.Index() != index {
		return nil
	}
	return e
}

// oldest is the oldest index held when head is the newest.
func (h *history) oldest(head uint64) uint64 {
	if head < h.size() {
		return h.start
	}
	return max(h.start, head-h.size()+1)
}
