package service

import (
	"context"

	"pando/httpapi/auth"
	"pando/stats"
	"pando/tree"
	"pando/tree/users"
)

// Watch is a watch that has begun.
type Watch struct {
	// Watcher gives the events after First. The caller must close it.
	Watcher *Watcher
	// First is the first event, or nil if none had happened before the watch began.
	First *tree.Event
	// Index is the index of the last change before the watch began.
	Index uint64
	// Oldest is the least index with which the watch could have begun then.
	Oldest uint64
}

// WatchRequest says what a watch returns.
type WatchRequest struct {
	// Paths are the watched paths, which must be clean. A change that concerns several of them is one event. They must not be changed.
	Paths []string
	Scope tree.Scope
	// Since is the index from which on the watch returns changes. With 0 it begins with the next change.
	Since uint64
	// Each says that the removal of a directory is returned in parts, one for each removed node; see tree.Store.WatchEach. ReceivedParts
	// is the number of parts of the event with the index Since that the client has already.
	Each          bool
	ReceivedParts uint32
}

// MaxWatchedPaths is the largest number of paths of one watch.
const MaxWatchedPaths = 64

// Watch begins a watch. It waits for nothing but the verification of a password. Its errors are *tree.Error, with CodeHistoryCleared if
// the history no longer contains the index.
func (s *Service) Watch(ctx context.Context, who auth.Credentials, r *WatchRequest) (Watch, error) {
	from, watch, err := s.watch(ctx, who, r)
	for _, path := range r.Paths {
		s.record(who, &from, operation{name: stats.OpWatch.String(), key: path, read: true}, watch.Index, err)
	}
	return watch, err
}

func (s *Service) watch(ctx context.Context, who auth.Credentials, r *WatchRequest) (sender, Watch, error) {
	paths, since, scope := r.Paths, r.Since, scopeOf(r.Scope)
	from, err := s.authorize(ctx, who, users.Read, paths[0], scope)
	if err != nil {
		return from, Watch{}, err
	}
	for _, path := range paths[1:] {
		if !from.hasAccess(users.Read, path, scope) {
			return from, Watch{}, errUnauthorized
		}
	}
	index := from.view.Index()
	if since == 0 {
		// With 0 the watch would miss a change between View and Watch. The client must get every change after Index.
		since = index + 1
	}
	var events *tree.Watcher
	if r.Each {
		events, err = s.cfg.Tree.WatchEach(paths, r.Scope, since, r.ReceivedParts)
	} else {
		events, err = s.cfg.Tree.WatchAll(paths, r.Scope, since)
	}
	if err != nil {
		return from, Watch{}, err
	}
	watcher := &Watcher{
		events: events, tree: s.cfg.Tree, paths: paths, scope: scope,
		principal: from.principal, revision: from.view.Users().Revision(), denied: s.recordEnd(who, from, paths),
	}
	// Poll now: if the history has dropped the first event meanwhile, the caller can still respond with an error.
	first, err := watcher.Poll()
	if err != nil {
		watcher.Close()
		return from, Watch{}, err
	}
	return from, Watch{Watcher: watcher, First: first, Index: index, Oldest: events.Oldest()}, nil
}

// scopeOf returns the scope of the access that a watch needs.
func scopeOf(s tree.Scope) users.Scope {
	if s == tree.Recursive {
		return users.Subtree
	}
	return users.One
}

// Watcher returns the events of a watch while its principal may read them. After a change of users, roles or the auth switch it checks
// the right again, but verifies no password. The principal of a watch that began while auth was disabled is a guest. The rules for
// calling the methods are those of tree.Watcher.
type Watcher struct {
	events *tree.Watcher
	tree   *tree.Store
	paths  []string
	scope  users.Scope

	principal auth.Principal
	revision  uint64 // of the users with which the right was checked
	denied    func() // records that the right was lost; nil without an audit log
}

// Poll returns the next event, or nil if there is none yet. The errors are those of tree.Watcher, and a *tree.Error of
// CodeUnauthorized if the principal no longer has the right to the events.
func (w *Watcher) Poll() (*tree.Event, error) {
	event, err := w.events.Poll()
	if err != nil {
		return nil, err
	}
	// The state must be read after the event, so that it contains every change of users before the event.
	if state := w.tree.View().Users(); state.Revision() != w.revision {
		if !w.mayRead(state) {
			if w.denied != nil {
				w.denied()
			}
			return nil, errUnauthorized
		}
		w.revision = state.Revision()
	}
	return event, nil
}

// SkipParts leaves out the other parts of the removal whose part Poll has returned last; see tree.Watcher.SkipParts.
func (w *Watcher) SkipParts() { w.events.SkipParts() }

// mayRead reports whether the principal may read the watched keys in a state.
func (w *Watcher) mayRead(state *users.State) bool {
	if !state.Enabled() {
		return true
	}
	roles, ok := w.principal.Roles(state)
	for _, path := range w.paths {
		ok = ok && state.Allows(roles, users.Read, path, w.scope)
	}
	return ok
}

// Notify registers wake, which must not block. It is called when Poll may return an event or an error, also after a change of users.
func (w *Watcher) Notify(wake func()) { w.events.Notify(wake) }

// Close ends the watch.
func (w *Watcher) Close() { w.events.Close() }
