package tree

import "runtime"

// firstWhole returns the index of the first event from which on the history holds all events of a view, all of them whole, and nothing of
// an earlier revision is missing. revision is the first revision with which a watch can begin: it is not before the compact revision.
func (s *Store) firstWhole(v *View) (index, revision uint64) {
	h := s.history
	index = h.next(max(v.oldest, v.partial+1))
	if index == firstIndex+1 {
		return index, v.keyHistory.compacted // nothing was ever dropped
	}
	revision = v.Revision() + 1
	for ; index <= v.index; index = h.next(index + 1) {
		e := h.at(index)
		if e != nil && e.beginsRevision() {
			revision = e.Revision()
			break
		}
	}
	return index, max(revision, v.keyHistory.compacted)
}

// findRevision returns the index of the first event whose revision is not less than the given one, which must not be after the revision of
// the current view. It returns an *Error of CodeCompacted if the history does not hold all events from there on.
func (s *Store) findRevision(revision uint64) (index uint64, err *Error) {
	h := s.history
	for {
		v := s.View()
		first, oldest := s.firstWhole(v)
		if revision < oldest {
			return 0, compactedError(oldest)
		}
		index = h.firstWithRevision(revision, first, v.index)
		// The search takes a dropped event for one of a lower revision. So the event before the one that was found must still be there.
		if before := h.previous(index - 1); before < first || h.nodeAt(before) != nil {
			return index, nil
		}
		runtime.Gosched() // the next view shows what was dropped
	}
}
