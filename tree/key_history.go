package tree

import "fmt"

// keyHistory is the part of the state that says which events etcd's v3 API needs. Without a command of that API the history is that of v2:
// the last events, as many as fit into its ring. The first such command changes this: from then on the history keeps all events from the
// compact revision on, and never fewer than the ring. The zero value is that before the first command.
type keyHistory struct {
	// from is the index of the first event that is kept until a compaction. All events from it on are whole (see Event.isWhole). It is
	// zero before the first command of the v3 API.
	from uint64
	// compacted is the revision of the last compaction, or zero.
	compacted uint64
}

// retention is what a store knows about its history beside its state. Only the applying goroutine uses it.
type retention struct {
	floor uint64 // the index of the first event that may not be dropped; zero before the first command of the v3 API
	// droppable is the size of all events that were added to the pages before the event floor.
	droppable int64
	compacted uint64 // the compact revision for which floor was computed
	partial   uint64 // the index of the last event that is not whole
}

// startKeyHistory makes the history keep all events from the next one on. It must be called before each command of the v3 API is
// executed, also if the command fails. It does nothing if it was called before.
func (s *Store) startKeyHistory() {
	if s.keyHistory.from == 0 {
		s.keyHistory.from = s.index + 1
	}
}

// compactHistory executes an OpCompact: it makes the events before a revision droppable. The tree can then be read at this revision and at
// later ones, and a watch can begin with them. The revision 0 has no effect: before the first compaction it is allowed, as in etcd.
func (s *Store) compactHistory(revision uint64) *Error {
	switch {
	case revision == 0 && s.keyHistory.compacted == 0:
		return nil
	case revision <= s.keyHistory.compacted:
		return compactedError(s.keyHistory.compacted)
	case revision > s.currentRevision():
		return futureError(revision, s.currentRevision())
	}
	s.keyHistory.compacted = revision
	return nil
}

// currentRevision returns the revision of the last change, as View.Revision does.
func (s *Store) currentRevision() uint64 {
	if s.revisions.counts {
		return s.revisions.last
	}
	return s.index
}

// compactedError returns the error for a revision that the history no longer holds. compact is the first revision that it holds.
func compactedError(compact uint64) *Error {
	return &Error{Code: CodeCompacted, Cause: fmt.Sprintf("the history begins with revision %d", compact), Revision: compact}
}

// futureError returns the error for a revision after the current one.
func futureError(revision, current uint64) *Error {
	return NewError(CodeFutureRevision, fmt.Sprintf("revision %d is after the current one, %d", revision, current))
}

// CompactRevision returns the revision of the last compaction, or zero if there was none.
func (v *View) CompactRevision() uint64 { return v.keyHistory.compacted }

// HistoryBytes returns the size of the events that are kept for the v3 API, with the directories that they have removed. It is zero before
// the first command of that API. All members return the same number for the same state.
func (v *View) HistoryBytes() int64 { return v.historyBytes }

// keepsRemoved reports whether an event that removes a directory keeps this directory with all nodes below it. Otherwise the event is not
// whole.
func (s *Store) keepsRemoved() bool {
	return !s.measures && (s.keyHistory.from != 0 || s.keyHub.watchers.Load() > 0)
}

// isWhole reports whether the event holds all files that the change has removed.
func (e *Event) isWhole() bool {
	return !e.removesDir() || e.prev != nil && e.prev.IsDir() && e.prev.directory() != noChildren
}

// eventSize returns the size of an event for HistoryBytes. It depends on the stored form alone.
func eventSize(e *Event) int64 {
	size := eventBytes(e)
	if e.removesDir() && e.prev != nil && e.prev.IsDir() {
		d := e.prev.directory()
		size += d.bytes + int64(d.nodes)*removedNodeBytes
	}
	return size
}

// prepareHistory must be called before the events of a batch are added to the history.
func (s *Store) prepareHistory() {
	if s.keyHistory.from == 0 || s.history.pages.Load() != nil {
		return
	}
	s.history.grow(s.View().index)
	s.retention.floor, s.retention.droppable = s.keyHistory.from, s.history.pages.Load().total()
}

// trimPortion is the largest number of events that one batch drops while watched subtrees may need them. More would delay the next batch.
const trimPortion = 10_000

// trimHistory must be called after the events of a batch were added to the history. It drops the events that are needed no more: at once,
// or in portions.
func (s *Store) trimHistory() {
	if s.follows() {
		s.retention.partial = s.index // the source may have made changes without an event
	}
	if s.keyHistory.from == 0 {
		return
	}
	if s.retention.compacted != s.keyHistory.compacted {
		s.findFloor()
	}
	keep := min(s.retention.floor, s.history.last(s.index, s.history.size()))
	if keep <= s.history.start {
		return
	}
	if s.scopes == nil {
		s.history.drop(keep, nil)
		return
	}
	keep = min(keep, s.history.indexAt(s.history.place(s.history.start)+trimPortion))
	s.history.drop(keep, s.scopes.retire)
}

// findFloor computes the floor for the compact revision.
func (s *Store) findFloor() {
	r, h := &s.retention, s.history
	r.floor = max(s.keyHistory.from, h.firstWithRevision(s.keyHistory.compacted, h.start, s.index))
	r.droppable = h.pages.Load().total() - h.bytesFrom(r.floor)
	r.compacted = s.keyHistory.compacted
}

// historyBytes returns the result of View.HistoryBytes.
func (s *Store) historyBytes() int64 {
	if p := s.history.pages.Load(); p != nil {
		return p.total() - s.retention.droppable
	}
	return 0
}

// finishRetention must be called when a store is loaded, before its first publish.
func (s *Store) finishRetention() {
	r := &s.retention
	if s.mirrored != nil { // the source may have made changes without an event
		r.partial = s.index
	}
	if s.keyHistory.from != 0 {
		r.partial = min(r.partial, s.keyHistory.from-1)
		s.findFloor()
	}
}
