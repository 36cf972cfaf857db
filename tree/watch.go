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

// Scope says how much of the tree a watcher watches.
type Scope uint8

// The scopes.
const (
	// Exact is one path.
	Exact Scope = iota
	// Recursive is a path and all nodes below it that are not hidden.
	Recursive
)

// Watcher is a cursor on the history. It has no queue, so a slow reader costs no
// memory. It is in one of two modes:
//
//   - behind: there may be events at or after the cursor. Poll reads the history, and
//     the watcher becomes live when the cursor passes the newest index.
//   - live: the cursor is at the end. The hub hands the next matching event to the
//     watcher, and the index of the one after it. Poll takes the event; if there was
//     one after it, the watcher is behind again, from that index on.
//
// So a watcher that waits, or that is busy with sending, loses nothing when newer
// events push the ones for it out of the history; only one that has more than one
// event to read can miss some, and is told.
//
// One goroutine at a time may call Next, Poll and Notify. Any goroutine may call
// Close.
type Watcher struct {
	store *Store
	path  string
	scope Scope
	ready chan struct{} // wakes Next; nil before the first call

	closed      atomic.Bool
	invalidated atomic.Bool // the tree was replaced: the events in between are unknown

	mu     sync.Mutex
	notify func() // see Notify; may be nil
	live   bool
	// cursor is the first index that was not looked at. While the watcher is behind, it
	// belongs to the goroutine that polls.
	cursor uint64
	// pending is the first event that the hub handed over, until Poll takes it.
	pending *Event
	// resumeAt is the index of the matching event after pending, or zero.
	resumeAt uint64
}

// Watch opens a watcher of path. Its first event is the first matching one at or
// after the index since, which may lie in the future; zero means all events after
// this call. Watch returns an *Error of CodeHistoryCleared if the history does not
// reach back to since. The caller must Close the watcher.
func (s *Store) Watch(path string, scope Scope, since uint64) (*Watcher, error) {
	w := &Watcher{store: s, path: path, scope: scope}
	s.hub.add(w)
	if err := w.begin(since); err != nil {
		s.hub.remove(w)
		return nil, err
	}
	return w, nil
}

// begin sets the cursor. A watcher that has nothing to read is live from here on, and
// not only from the first Poll: what is published after the View below reaches offer,
// which waits for mu.
func (w *Watcher) begin(since uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.store.View()
	switch {
	case since == 0:
		w.cursor = v.index + 1
	case since < v.oldest && v.oldest > firstIndex+1:
		return historyCleared(v, since)
	default:
		w.cursor = max(since, v.oldest)
	}
	w.live = w.cursor > v.index
	return nil
}

// Watchers is the number of open watchers.
func (s *Store) Watchers() int { return s.hub.len() }

// Next waits for the next event. It returns the errors of Poll, or that of the
// context.
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
// CodeHistoryCleared if the history has lost events that the watcher had not read, an
// *Error of CodeWatcherCleared if the tree was replaced, or ErrWatcherClosed.
func (w *Watcher) Poll() (*Event, error) {
	if w.closed.Load() {
		return nil, ErrWatcherClosed
	}
	if w.invalidated.Load() {
		return nil, &Error{Code: CodeWatcherCleared, Cause: "the member caught up from a snapshot", Index: w.store.View().index}
	}
	w.mu.Lock()
	if w.live {
		defer w.mu.Unlock()
		return w.takePending(), nil
	}
	w.mu.Unlock()
	return w.readHistory()
}

// Notify registers a function that is called when Poll has something to return, an
// event or an error, after it returned nothing. If there is something already, f is
// called at once. f replaces the function before it. f is called with locks held, by
// the goroutine that applies or closes: it must not block and must not call the
// watcher.
func (w *Watcher) Notify(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notify = f
	if w.pending != nil || w.closed.Load() || w.invalidated.Load() {
		f()
	}
}

// takePending returns the event that the hub handed over, or nil. If more events came
// after it, the watcher is behind, and reads them from the history. Callers must hold
// mu.
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

// readHistory returns the first matching event at or after the cursor. At the end of
// the history it makes the watcher live and returns nothing.
func (w *Watcher) readHistory() (*Event, error) {
	for {
		newest, live := w.updateLive()
		if live {
			return nil, nil
		}
		for w.cursor <= newest {
			e := w.store.history.at(w.cursor)
			if e == nil {
				return nil, historyCleared(w.store.View(), w.cursor)
			}
			w.cursor++
			if w.matches(e) {
				return e, nil
			}
		}
	}
}

// updateLive makes the watcher live if the cursor has passed the newest index, which it
// returns. No event is lost in between: events are announced after they are published,
// so an event that is not seen here finds the watcher live in offer.
func (w *Watcher) updateLive() (newest uint64, live bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	newest = w.store.View().index
	w.live = w.cursor > newest
	return newest, w.live
}

// Close ends the watch. A Next that waits returns ErrWatcherClosed. Further calls do
// nothing.
func (w *Watcher) Close() {
	if w.closed.Swap(true) {
		return
	}
	w.store.hub.remove(w)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.signal()
}

// invalidate ends the watch after the tree was replaced.
func (w *Watcher) invalidate() {
	w.invalidated.Store(true)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.signal()
}

// offer is called by the hub with each matching event, in the order of their indexes.
// A watcher that is behind reads the event from the history.
func (w *Watcher) offer(e *Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !w.live || e.Index() < w.cursor:
	case w.pending == nil:
		w.pending = e
		w.signal()
	case w.resumeAt == 0:
		w.resumeAt = e.Index()
	}
}

// signal calls the function of Notify. Callers must hold mu.
func (w *Watcher) signal() {
	if w.notify != nil {
		w.notify()
	}
}

// matches reports whether the watcher returns the event.
func (w *Watcher) matches(e *Event) bool {
	path := e.node.Path()
	switch {
	case e.refresh:
		return false
	case path == w.path:
		return true
	case below(path, w.path):
		return w.scope == Recursive && !hiddenBelow(path, w.path)
	default:
		return e.action.removes() && e.node.IsDir() && below(w.path, path)
	}
}

func historyCleared(v *View, since uint64) *Error {
	return &Error{
		Code:  CodeHistoryCleared,
		Cause: fmt.Sprintf("the requested history has been cleared [%d/%d]", v.oldest, since),
		Index: v.index,
	}
}
