package tree

// HistoryLimits bound what a store keeps beside the last events. The zero value keeps nothing.
type HistoryLimits struct {
	// RemovedBytes is the size of the directories that were removed last, with all nodes below them, which are kept for WatchEach.
	RemovedBytes int64
	// ScopeBytes is the size of the events of watched subtrees that are kept when newer events have pushed them out of the history.
	ScopeBytes int64
}

// SetHistoryLimits sets the limits. It must be called before the first Apply, and before any other goroutine uses the store. Replace keeps
// the limits.
func (s *Store) SetHistoryLimits(l HistoryLimits) {
	s.removals.limit, s.scopes = l.RemovedBytes, nil
	if l.ScopeBytes > 0 {
		s.scopes = &scopes{limit: l.ScopeBytes, retired: s.history.oldest(s.index) - 1, newest: s.index}
	}
}

// HistoryUse is what a store keeps in memory within its HistoryLimits.
type HistoryUse struct {
	// RemovedBytes is about the size of the removed directories that are kept. RemovedDropped is the number of those that were dropped for
	// the limit since the store was made.
	RemovedBytes   int64
	RemovedDropped uint64
	// Scopes is the number of subtrees whose events are kept beyond the history, ScopeBytes about their size with these events.
	// ScopeEvicted is the number of events that were dropped for the limit since the store was made. An event counts once for each subtree.
	Scopes       int
	ScopeBytes   int64
	ScopeEvicted uint64
}

// HistoryUse returns what the store keeps now. Any goroutine may call it.
func (s *Store) HistoryUse() HistoryUse {
	var u HistoryUse
	u.RemovedBytes, u.RemovedDropped = s.removals.use()
	if s.scopes != nil {
		u.Scopes, u.ScopeBytes, u.ScopeEvicted = s.scopes.use()
	}
	return u
}
