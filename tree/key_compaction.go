package tree

import "sort"

// CompactionRevision returns the revision for an OpCompact after which the events that are kept for the v3 API have at most keep bytes, as
// View.HistoryBytes counts them. If the events of the current revision alone have more, it returns the current revision. It returns 0 if
// no compaction is needed, or if none can drop more events.
//
// Only the applying goroutine may call it. It looks at no more than pageEvents events, however long the history is.
func (s *Store) CompactionRevision(keep int64) uint64 {
	v := s.View()
	if v.historyBytes <= keep {
		return 0
	}
	h := s.history
	index := h.firstWithin(keep)
	revision := v.Revision()
	if e := h.at(index); e != nil {
		first := e.Revision()
		if before := h.at(h.previous(index - 1)); before != nil && before.Revision() == first {
			first++ // a compaction to the revision of e would keep the event before e
		}
		revision = min(revision, first)
	}
	if revision <= v.keyHistory.compacted {
		return 0
	}
	return revision
}

// firstWithin returns the index of the first event from which on all events together have at most this size. It is the index after the
// last event if that one is larger. firstWithin may be called only after grow.
func (h *history) firstWithin(size int64) (index uint64) {
	p := h.pages.Load()
	excess := p.total() - size // of the events that were ever added
	after := sort.Search(len(p.list), func(i int) bool { return p.list[i].before > excess })
	if after == 0 {
		return h.start
	}
	page, place := p.list[after-1], p.first+uint64(after-1)*pageEvents
	for before, i := page.before, 0; i < pageEvents && before < excess; i++ {
		before += page.size(uint64(i))
		place++
	}
	return max(h.start, h.indexAt(place))
}
