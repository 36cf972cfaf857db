package tree

import "slices"

// keysAt returns the state of the keys at a revision, as Store.At does, while a command is executed. It is valid until the next change.
//
// Unlike At it also reads the revisions of the current batch, and its errors follow from the state alone, so that all members execute
// a command alike. So it does not read what a member keeps by chance: the events before the first command of the v3 API.
func (s *Store) keysAt(revision uint64) (KeyReader, *Error) {
	current := s.currentRevision()
	switch {
	case revision > current:
		return nil, futureError(revision, current)
	case revision < s.keyHistory.compacted:
		return nil, compactedError(s.keyHistory.compacted)
	case revision == current, s.measures: // a read does not change sizes
		return s.current(), nil
	}
	events, oldest := s.eventsAfter(revision)
	if revision < oldest {
		return nil, compactedError(oldest)
	}
	base := *s.current()
	return &past{revision: revision, base: &base, events: EventList{rest: events}}, nil
}

// eventsAfter returns the events after a revision, the oldest first. If this revision is before the first command of the v3 API, it returns
// the events since then, and the revision of the tree before that command as the oldest.
func (s *Store) eventsAfter(revision uint64) (events []*Event, oldest uint64) {
	first := s.currentRevision() + 1 // the revision of the first event that was found
	add := func(e *Event) (more bool) {
		if e.action == ActionAuth {
			return true // it has no revision of its own
		}
		if e.Revision() <= revision {
			return false
		}
		first = e.Revision()
		events = append(events, e)
		return true
	}
	defer func() { slices.Reverse(events) }()
	for i := len(s.batch) - 1; i >= 0; i-- {
		if e := s.batch[i].event; e == nil || e.Index() < s.keyHistory.from {
			return events, first - 1
		} else if !add(e) {
			return events, 0
		}
	}
	h := s.history
	for i := h.previous(s.View().index); i >= max(s.keyHistory.from, firstIndex+1); i = h.previous(i - 1) {
		e := h.at(i)
		if e == nil {
			break // the source of a mirror has lost it
		}
		if !add(e) {
			return events, 0
		}
	}
	return events, first - 1
}
