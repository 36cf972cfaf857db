package tree

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// ErrWatcherClosed is returned by Next after Close.
var ErrWatcherClosed = errors.New("tree: the watcher is closed")

// Scope is how much of the tree a watcher follows.
type Scope uint8

// The scopes.
const (
	// Exact follows one path.
	Exact Scope = iota
	// Recursive follows a path and all that is not hidden below it.
	Recursive
)

// Watcher is a cursor on the history. It has no queue: it remembers the next
// index to look at, and while it waits the first event that came for it. One
// goroutine at a time may call Next; Close may be called from any.
type Watcher struct {
	store *Store
	path  string
	scope Scope

	// next is the first index that has not been looked at.
	next uint64
	// idle says that nothing before first concerns the watcher: all earlier
	// events were looked at, or were published while the hub knew that it
	// waits.
	idle bool
	// first is the first event that the hub woke the watcher with since Next
	// last looked. With it a waiting watcher loses nothing, even if the ring
	// turns over before its goroutine runs.
	first atomic.Pointer[Event]
	// from is the index from which on the watcher waits. An older event that
	// the hub brings late, or for a watcher of the future early, must not take
	// the place of one that counts.
	from atomic.Uint64
	// lost says that the tree was replaced: what came between is unknown.
	lost   atomic.Bool
	ready  chan struct{}
	closed atomic.Bool
}

// Watch follows path from the index since on: in the past, the present or the
// future; zero means from now on. It returns an *Error with CodeHistoryCleared
// when the history no longer reaches back that far. The caller must Close the
// watcher.
func (s *Store) Watch(path string, scope Scope, since uint64) (*Watcher, error) {
	w := &Watcher{store: s, path: path, scope: scope, next: since, ready: make(chan struct{}, 1)}
	// First the hub, then the view: an event that comes between is seen twice
	// and told apart by its index, never missed.
	s.hub.add(w)
	v := s.View()
	switch {
	case since == 0:
		w.next = v.index + 1
	case since < v.oldest && v.oldest > firstIndex+1:
		s.hub.remove(w)
		return nil, cleared(v, since)
	}
	w.next = max(w.next, v.oldest)
	// With nothing to read up on it waits from this moment, not from the first
	// call of Next: what comes in between is kept for it.
	w.idle = w.next > v.index
	w.from.Store(w.next)
	return w, nil
}

// Watchers is the number of open watchers.
func (s *Store) Watchers() int { return s.hub.len() }

// Next gives the next event, waiting for it if need be. It returns an *Error
// with CodeHistoryCleared when the watcher fell off the history,
// ErrWatcherClosed after Close, or the context's error.
func (w *Watcher) Next(ctx context.Context) (*Event, error) {
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

// Poll is Next without the waiting: it gives nil when no event is there.
func (w *Watcher) Poll() (*Event, error) {
	if w.closed.Load() {
		return nil, ErrWatcherClosed
	}
	if w.lost.Load() {
		return nil, &Error{Code: CodeWatcherCleared, Cause: "the member caught up from a snapshot", Index: w.store.View().index}
	}
	first := w.first.Swap(nil)
	wasIdle := w.idle
	if wasIdle && first == nil {
		return nil, nil
	}
	w.idle = false
	if wasIdle && first.Index() >= w.next {
		w.next = first.Index() + 1
		return first, nil
	}
	return w.scan()
}

// scan looks through the history from the cursor on.
func (w *Watcher) scan() (*Event, error) {
	for head := w.store.View().index; w.next <= head; w.next++ {
		e := w.store.history.at(w.next)
		if e == nil {
			return nil, cleared(w.store.View(), w.next)
		}
		if w.concerns(e) {
			w.next++
			return e, nil
		}
	}
	w.idle = true
	w.from.Store(w.next)
	return nil, nil
}

// Close ends the watch; a Next that waits returns ErrWatcherClosed.
func (w *Watcher) Close() {
	if w.closed.Swap(true) {
		return
	}
	w.store.hub.remove(w)
	w.signal()
}

// lose ends the watch because events may have passed it by.
func (w *Watcher) lose() {
	w.lost.Store(true)
	w.signal()
}

// wake is called by the hub with each event for the watcher.
func (w *Watcher) wake(e *Event) {
	from := w.from.Load()
	if e.Index() < from {
		return
	}
	for {
		first := w.first.Load()
		if first != nil && first.Index() >= from {
			return
		}
		if w.first.CompareAndSwap(first, e) {
			w.signal()
			return
		}
	}
}

func (w *Watcher) signal() {
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// concerns reports whether the watcher follows what the event is about.
func (w *Watcher) concerns(e *Event) bool {
	path := e.node.path
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

func cleared(v *View, since uint64) *Error {
	return &Error{
		Code:  CodeHistoryCleared,
		Cause: fmt.Sprintf("the requested history has been cleared [%d/%d]", v.oldest, since),
		Index: v.index,
	}
}
