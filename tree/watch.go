package tree

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// ErrWatcherClosed is returned by Next and Poll after Close.
var ErrWatcherClosed = errors.New("tree: the watcher is closed")

// Scope selects the nodes that a watcher watches.
type Scope uint8

// The scopes.
const (
	// Exact selects one path.
	Exact Scope = iota
	// Recursive selects a path and all nodes below it that are not hidden.
	Recursive
)

// Watcher returns the events of a path, or of several paths, one by one. It is a cursor on the history. It has
// no queue, so a slow reader costs no memory. A Watcher is in one of two modes:
//
//   - behind: there may be events at or after the cursor. Poll reads the history. When
//     the cursor passes the newest index, the watcher becomes live.
//   - live: the cursor is at the end of the history. The hub stores the next matching
//     event in the watcher (pending), and the index of the matching event after it
//     (resumeAt). Poll returns the pending event. If there is a resumeAt, the watcher is
//     behind again, and the cursor is resumeAt.
//
// So a live watcher never loses its next event, even if the history no longer holds it. A
// watcher that is behind may be too slow: if neither the history nor the scopes hold the
// event at its cursor, Poll returns an error.
//
// Only one goroutine at a time may call Next, Poll and Notify. Any goroutine may call
// Close.
type Watcher struct {
	store    *Store
	path     string
	options  *watchOptions // nil for a watcher of one path without other options; never changes
	revision uint64        // of the users when Watch was called
	oldest   uint64        // see Oldest
	ready    chan struct{} // wakes Next; nil before the first call

	closed      atomic.Bool
	invalidated atomic.Bool // the tree was replaced: events may be lost

	mu     sync.Mutex
	notify func() // see Notify; may be nil
	live   bool
	scope  Scope // never changes; at this place it takes no memory, because of the alignment
	// cursor is the next index to check for a matching event. While the watcher is behind,
	// only the polling goroutine uses cursor, without mu.
	cursor uint64
	// pending is the first matching event since the watcher became live, until Poll
	// returns it. The hub sets it.
	pending *Event
	// resumeAt is the index of the first matching event after pending, or zero.
	resumeAt uint64
}

// Watch opens a watcher of path. The watcher returns the matching events from the index
// since on, which may lie in the future. If since is zero, it returns the events after
// this call. Watch returns an *Error of CodeHistoryCleared if the history no longer holds
// the event since. The caller must close the watcher.
func (s *Store) Watch(path string, scope Scope, since uint64) (*Watcher, error) {
	return s.open(&Watcher{store: s, path: path, scope: scope}, since)
}

// WatchAll is Watch for several paths, at least one. The watcher returns an event that
// concerns several of them once. The caller must not change the slice afterwards.
func (s *Store) WatchAll(paths []string, scope Scope, since uint64) (*Watcher, error) {
	w := &Watcher{store: s, path: paths[0], scope: scope}
	if len(paths) > 1 {
		w.options = &watchOptions{others: paths[1:]}
	}
	return s.open(w, since)
}

func (s *Store) open(w *Watcher, since uint64) (*Watcher, error) {
	if s.scopes != nil {
		s.scopes.acquire(w)
	}
	s.hub.add(w)
	if err := w.begin(since); err != nil {
		s.forget(w)
		return nil, err
	}
	return w, nil
}

// forget ends what open has begun.
func (s *Store) forget(w *Watcher) {
	s.hub.remove(w)
	if s.scopes != nil {
		s.scopes.release(w)
	}
}

// begin sets the cursor. If there is nothing to read, the watcher becomes live at once,
// and not only with the first Poll. No event is lost: any event that is published after
// the View below is passed to offer, which waits for mu.
func (w *Watcher) begin(since uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.store.View()
	w.revision = v.users.Revision()
	w.oldest = v.oldest
	if w.store.scopes != nil {
		w.oldest = min(w.oldest, w.store.scopes.oldest(w))
	}
	switch {
	case since == 0:
		w.cursor = v.index + 1
	case since < w.oldest && w.oldest > firstIndex+1:
		// A history that still begins with the very first event has lost nothing.
		return historyCleared(v.index, w.oldest, since)
	default:
		w.cursor = max(since, w.oldest)
	}
	w.live = w.cursor > v.index
	if o := w.eachOptions(); o != nil {
		o.begun = w.cursor - 1
	}
	return nil
}

// Oldest returns the least index with which the watch could have begun when it was opened.
func (w *Watcher) Oldest() uint64 { return w.oldest }

// Watchers returns the number of open watchers.
func (s *Store) Watchers() int { return s.hub.len() }

// Next waits for the next event. It returns an error of Poll, or that of ctx if ctx ends
// first.
func (w *Watcher) Next(ctx context.Context) (*Event, error) {
	if w.ready == nil {
		ready := make(chan struct{}, 1)
		w.ready = ready
		w.Notify(func() {
			select {
			case ready <- struct{}{}:
			default:
			}
		})
	}
	for {
		if e, err := w.Poll(); e != nil || err != nil {
			return e, err
		}
		select {
		case <-w.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Poll returns the next event, or nil if there is none yet. It returns an *Error of
// CodeHistoryCleared if the history no longer holds all events that the watcher must
// read, an *Error of CodeWatcherCleared if the tree was replaced, or ErrWatcherClosed.
func (w *Watcher) Poll() (*Event, error) {
	if w.closed.Load() {
		return nil, ErrWatcherClosed
	}
	if w.invalidated.Load() {
		return nil, &Error{Code: CodeWatcherCleared, Cause: "the member caught up from a snapshot", Index: w.store.View().index}
	}
	if o := w.options; o != nil && o.removal != nil {
		return w.nextPart(), nil
	}
	e, err := w.poll()
	if w.options != nil {
		e = w.expand(e)
	}
	return e, err
}

// poll is Poll without the parts of removals.
func (w *Watcher) poll() (*Event, error) {
	w.mu.Lock()
	if w.live {
		defer w.mu.Unlock()
		return w.takePending(), nil
	}
	w.mu.Unlock()
	return w.readHistory()
}

// Notify registers a function, in the place of an earlier one. After Poll has returned no
// event and no error, f is called when Poll has an event or an error to return. If it has
// one already, Notify calls f at once. f is also called after a change of the users
// ([View.Users]) that may have taken rights away. Poll may then have nothing to return, and
// the reader must check again whether it may read the path. f is called with locks held, by
// the goroutine that calls Announce, Replace, Close or Notify: f must not block and must not
// call methods of the watcher.
func (w *Watcher) Notify(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notify = f
	// A change of the users since Watch may have been announced before f was registered.
	usersChanged := w.store.View().users.Revision() != w.revision
	if w.pending != nil || w.closed.Load() || w.invalidated.Load() || usersChanged {
		f()
	}
}

// takePending returns the pending event, or nil, and clears it. If resumeAt is set, the
// watcher becomes behind. Callers must hold mu.
func (w *Watcher) takePending() *Event {
	e := w.pending
	if e == nil {
		return nil
	}
	w.pending, w.cursor = nil, e.Index()+1
	if w.resumeAt != 0 {
		w.cursor, w.resumeAt, w.live = w.resumeAt, 0, false
	}
	return e
}

// readHistory returns the first matching event at or after the cursor. If there is none,
// it makes the watcher live and returns nil.
func (w *Watcher) readHistory() (*Event, error) {
	for {
		newest, live := w.updateLive()
		if live {
			return nil, nil
		}
		for w.cursor = w.store.history.next(w.cursor); w.cursor <= newest; w.cursor = w.store.history.next(w.cursor) {
			e := w.store.history.at(w.cursor)
			if e == nil {
				if e, err := w.readScopes(); e != nil || err != nil {
					return e, err
				}
				continue
			}
			w.cursor++
			if w.matches(e) {
				return e, nil
			}
		}
	}
}

// readScopes returns the first matching event from the cursor on that the history has dropped. If all of these were dropped for
// other keys, it returns nil, and the cursor is the index from which on to read the history.
func (w *Watcher) readScopes() (e *Event, err error) {
	v := w.store.View()
	if w.store.scopes == nil {
		return nil, historyCleared(v.index, v.oldest, w.cursor)
	}
	e, resume, lost := w.store.scopes.next(w, w.cursor)
	switch {
	case lost:
		return nil, historyCleared(v.index, min(v.oldest, w.store.scopes.oldest(w)), w.cursor)
	case e != nil:
		resume = e.Index() + 1
	}
	w.cursor = resume
	return e, nil
}

// updateLive makes the watcher live if the cursor has passed the newest index. It returns
// this index and whether the watcher is live. No event is lost: events are announced after
// they are published, so for an event after this index, offer finds the watcher live.
func (w *Watcher) updateLive() (newest uint64, live bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	newest = w.store.View().index
	w.live = w.cursor > newest
	return newest, w.live
}

// Close ends the watch. A waiting Next returns ErrWatcherClosed. Further calls of Close do
// nothing.
func (w *Watcher) Close() {
	if w.closed.Swap(true) {
		return
	}
	w.store.forget(w)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.releaseAll()
	w.signalLocked()
}

// invalidate ends the watch after the tree was replaced.
func (w *Watcher) invalidate() {
	w.invalidated.Store(true)
	w.signal()
}

// offer is called by the hub for each matching event, in the order of the indexes, and
// once for each of the watcher's paths that matches. If the watcher is behind, it only holds
// a removed directory, because Poll reads the event from the history.
func (w *Watcher) offer(e *Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holdUpcoming(e)
	switch {
	case !w.live || e.Index() < w.cursor:
	case w.pending == nil:
		w.pending = e
		w.signalLocked()
	case w.resumeAt == 0 && e.Index() > w.pending.Index():
		w.resumeAt = e.Index()
	}
}

// loseUpTo is called by the hub when all events up to last are lost. A live watcher may have missed some of them. It becomes behind,
// and Poll, after the pending event, finds that the history no longer holds its next event.
func (w *Watcher) loseUpTo(last uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !w.live || w.cursor > last:
	case w.pending == nil:
		w.live = false
		w.signalLocked()
	case w.resumeAt == 0 && w.pending.Index() < last:
		w.resumeAt = w.pending.Index() + 1
	}
}

// signal calls the function of Notify.
func (w *Watcher) signal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.signalLocked()
}

// signalLocked calls the function of Notify. Callers must hold mu.
func (w *Watcher) signalLocked() {
	if w.notify != nil {
		w.notify()
	}
}

// matches reports whether the watcher returns the event.
func (w *Watcher) matches(e *Event) bool {
	if e.isSilent() {
		return false
	}
	if w.options != nil {
		for _, path := range w.options.others {
			if w.concerns(path, e) {
				return true
			}
		}
	}
	return w.concerns(w.path, e)
}

// concerns reports whether an event concerns watched, which is one of the watched paths.
func (w *Watcher) concerns(watched string, e *Event) bool {
	path := e.node.Path()
	switch {
	case path == watched:
		return true
	case below(path, watched):
		return w.scope == Recursive && !hiddenBelow(path, watched)
	default:
		return e.action.Removes() && e.node.IsDir() && below(watched, path)
	}
}

// paths calls do for each of the watched paths.
func (w *Watcher) paths(do func(path string)) {
	do(w.path)
	if w.options != nil {
		for _, path := range w.options.others {
			do(path)
		}
	}
}

func historyCleared(index, oldest, since uint64) *Error {
	return &Error{
		Code:  CodeHistoryCleared,
		Cause: fmt.Sprintf("the requested history has been cleared [%d/%d]", oldest, since),
		Index: index,
	}
}
