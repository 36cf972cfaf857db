package service

import (
	"context"

	"pando/httpapi/auth"
	"pando/tree"
)

// Watch is a watch that has begun.
type Watch struct {
	// Watcher gives the events after First. The caller must close it.
	Watcher *tree.Watcher
	// First is the first event, or nil if none had happened before the watch began.
	First *tree.Event
	// Index is the index of the last change before the watch began.
	Index uint64
}

// Watch begins to watch a clean path for changes from the index since on. With 0 it begins with the next change. It waits for
// nothing. Its error is a *tree.Error with CodeHistoryCleared if the history no longer contains the index.
func (s *Service) Watch(ctx context.Context, who auth.Credentials, path string, scope tree.Scope, since uint64) (Watch, error) {
	index := s.cfg.Tree.View().Index()
	if since == 0 {
		// With 0 the watch would miss a change between View and Watch. The client must get every change after Index.
		since = index + 1
	}
	watcher, err := s.cfg.Tree.Watch(path, scope, since)
	if err != nil {
		return Watch{}, err
	}
	// Poll now: if the history has dropped the first event meanwhile, the caller can still respond with an error.
	first, err := watcher.Poll()
	if err != nil {
		watcher.Close()
		return Watch{}, err
	}
	return Watch{Watcher: watcher, First: first, Index: index}, nil
}
