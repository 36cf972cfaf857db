package tree

import (
	"slices"
	"sort"
	"sync/atomic"
)

// sealedEvents are the events of a page in less memory, without an object for each: with a history of the v3 API, each key has at least
// one event. Most of them share their nodes with the tree. The page makes an event when somebody reads it. Such an event is another
// object with each read, so an EventCache does not keep its JSON. An Outcome is not kept either.
type sealedEvents struct {
	nodes *[pageEvents]*Node // nil in a slot without an event
	prevs *[pageEvents]*Node // nil if no event of the page has a prev
	kinds *[pageEvents]eventKind
	times []timeOfEvents // in the order of the slots
}

// eventKind is the Action of an event, with the flags below.
type eventKind uint8

const (
	refreshKind eventKind = 1 << 7 // Event.refresh
	v3OnlyKind  eventKind = 1 << 6 // Event.v3Only
	actionKinds           = v3OnlyKind - 1
)

// timeOfEvents is the time of the events from a slot on, up to that of the next timeOfEvents: the events of a batch have one time.
type timeOfEvents struct {
	time int64
	slot uint64
}

// seal returns the events of a page, which nobody may change any more.
func seal(events *[pageEvents]atomic.Pointer[Event]) *sealedEvents {
	s := &sealedEvents{nodes: new([pageEvents]*Node), kinds: new([pageEvents]eventKind)}
	times := make([]timeOfEvents, 0, pageEvents)
	for i := range events {
		e := events[i].Load()
		if e == nil {
			continue
		}
		s.nodes[i], s.kinds[i] = e.node, eventKind(e.action)
		if e.refresh {
			s.kinds[i] |= refreshKind
		}
		if e.v3Only {
			s.kinds[i] |= v3OnlyKind
		}
		if e.prev != nil {
			if s.prevs == nil {
				s.prevs = new([pageEvents]*Node)
			}
			s.prevs[i] = e.prev
		}
		if len(times) == 0 || times[len(times)-1].time != e.time {
			times = append(times, timeOfEvents{e.time, uint64(i)})
		}
	}
	s.times = slices.Clone(times)
	return s
}

// read sets e, which must be empty, to the event in a slot. There must be one.
func (s *sealedEvents) read(slot uint64, e *Event) {
	kind := s.kinds[slot]
	e.reader = pageReader
	e.action, e.refresh, e.v3Only = Action(kind&actionKinds), kind&refreshKind != 0, kind&v3OnlyKind != 0
	e.time = s.times[sort.Search(len(s.times), func(i int) bool { return s.times[i].slot > slot })-1].time
	e.node = s.nodes[slot]
	if s.prevs != nil {
		e.prev = s.prevs[slot]
	}
}

// size returns the size of the event in a slot, as eventSize does. It is zero if there is no event.
func (s *sealedEvents) size(slot uint64) int64 {
	if s.nodes[slot] == nil {
		return 0
	}
	var e Event
	s.read(slot, &e)
	return eventSize(&e)
}

// withoutFirst returns the events without those of the first n slots.
func (s *sealedEvents) withoutFirst(n uint64) *sealedEvents {
	rest := *s
	rest.nodes = withoutFirst(s.nodes, n)
	if s.prevs != nil {
		rest.prevs = withoutFirst(s.prevs, n)
	}
	return &rest
}

func withoutFirst(nodes *[pageEvents]*Node, n uint64) *[pageEvents]*Node {
	rest := new([pageEvents]*Node)
	copy(rest[n:], nodes[n:])
	return rest
}
