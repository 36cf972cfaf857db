package tree

// HistoryLimits bound what a store keeps beside the last events. The zero value keeps nothing.
type HistoryLimits struct {
	// RemovedBytes is the size of the directories that were removed last, with all nodes below them, which are kept for WatchEach.
	RemovedBytes int64
}

// SetHistoryLimits sets the limits. It must be called before the first Apply, and before any other goroutine uses the store. Replace keeps
// the limits.
func (s *Store) SetHistoryLimits(l HistoryLimits) { s.removals.limit = l.RemovedBytes }

// HistoryUse is what a store keeps in memory within its HistoryLimits.
type HistoryUse struct {
	// RemovedBytes is about the size of the removed directories that are kept. RemovedDropped is the number of those that were dropped for
	// the limit since the store was made.
	RemovedBytes   int64
	RemovedDropped uint64
}

// HistoryUse returns what the store keeps now. Any goroutine may call it.
func (s *Store) HistoryUse() HistoryUse {
	s.removals.mu.Lock()
	defer s.removals.mu.Unlock()
	return HistoryUse{RemovedBytes: s.removals.bytes, RemovedDropped: s.removals.dropped}
}
