package etcdv2

import (
	"iter"

	"pando/tree"
)

// events is a ring of the last events. Their indexes are consecutive.
type events struct {
	ring  []tree.EventFields
	limit int
	first int // place of the oldest event, when the ring is full
}

func newEvents(limit int) events { return events{limit: max(limit, 1)} }

func (e *events) add(event tree.EventFields) {
	if len(e.ring) < e.limit {
		e.ring = append(e.ring, event)
		return
	}
	e.ring[e.first] = event
	e.first = (e.first + 1) % e.limit
}

// all returns the events, the oldest first. The caller may change them.
func (e *events) all() iter.Seq[*tree.EventFields] {
	return func(yield func(*tree.EventFields) bool) {
		for i := range e.ring {
			if !yield(&e.ring[(e.first+i)%len(e.ring)]) {
				return
			}
		}
	}
}
