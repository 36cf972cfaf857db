package service

import "pando/tree"

// Watch is a watch that has begun.
type Watch struct {
	// Watcher gives the events after First. The caller must close it.
	Watcher *tree.Watcher
	// First is the first event if it had happened before the watch began, else nil.
	First *tree.Event
	// Index is that of the last change before the watch began.
	Index uint64
}

// Watch begins to watch a clean path for the changes from the index since on; 0 stands for those after this call. It waits
// for nothing. Its error is a *tree.Error with CodeHistoryCleared if the history does not reach back that far.
func (s *Service) Watch(path string, scope tree.Scope, since uint64) (Watch, error) {
	index := s.cfg.Tree.View().Index()
	if since == 0 {
		// Not 0: a client that continues from the index that it was answered must not miss a change that happens
		// between these two lines.
		since = index + 1
	}
	watcher, err := s.cfg.Tree.Watch(path, scope, since)
	if err != nil {
		return Watch{}, err
	}
	// The first event is taken now, when the caller can still answer with an error if the history has dropped it meanwhile.
	first, err := watcher.Poll()
	if err != nil {
		watcher.Close()
		return Watch{}, err
	}
	return Watch{Watcher: watcher, First: first, Index: index}, nil
}
