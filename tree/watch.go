package tree

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
// index to look at and, while it follows the present, the first event that came
// for it. One goroutine at a time may call Next, Poll and Notify; Close may be
// called from any.
type Watcher struct {
	store *Store
	path  string
	scope Scope
	ready chan struct{} // wakes Next; nil before the first

	closed atomic.Bool
	lost   atomic.Bool // the tree was replaced: what came between is unknown

	mu     sync.Mutex
	notify func() // is told of news; nil if nobody is
	// next is the first index that has been neither looked at nor passed over.
	next uint64
	// following says that the hub keeps what comes from next on. Otherwise the
	// watcher reads it up in the history.
	following bool
	// first is the first event that the hub brought. With it a watcher that
	// waits, or is busy sending, loses nothing when the ring turns over.
	first *Event
	// missed is the index of the event after first, zero while none came.
	missed uint64
}

// Watch follows path from the index since on: in the past, the present or the
// future; zero means from now on. It returns an *Error with CodeHistoryCleared
// when the history no longer reaches back that far. The caller must Close the
// watcher.
func (s *Store) Watch(path string, scope Scope, since uint64) (*Watcher, error) {
	w := &Watcher{store: s, path: path, scope: scope}
	s.hub.add(w)
	if err := w.begin(since); err != nil {
		s.hub.remove(w)
		return nil, err
	}
	return w, nil
}

// begin sets the cursor. With nothing to read up on, the watcher follows from
// this moment, not from the first call of Next: what is published after v
// reaches wake, which waits for the lock.
func (w *Watcher) begin(since uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.store.View()
	switch {
	case since == 0:
		w.next = v.index + 1
	case since < v.oldest && v.oldest > firstIndex+1:
		return cleared(v, since)
	default:
		w.next = max(since, v.oldest)
	}
	w.following = w.next > v.index
	return nil
}

// Watchers is the number of open watchers.
func (s *Store) Watchers() int { return s.hub.len() }

// Next gives the next event, waiting for it if need be. It returns an *Error
// with CodeHistoryCleared when the watcher fell off the history,
// ErrWatcherClosed after Close, or the context's error.
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

// Poll is Next without the waiting: it gives nil when no event is there.
func (w *Watcher) Poll() (*Event, error) {
	if w.closed.Load() {
		return nil, ErrWatcherClosed
	}
	if w.lost.Load() {
		return nil, &Error{Code: CodeWatcherCleared, Cause: "the member caught up from a snapshot", Index: w.store.View().index}
	}
	w.mu.Lock()
	if w.following {
		defer w.mu.Unlock()
		return w.takeFirst(), nil
	}
	w.mu.Unlock()
	return w.scan()
}

// Notify is for those who call Poll and don't want to wait in Next: f is called
// when Poll has given nothing and there is something now, an event or an error.
// What came before Notify is told at once. f is called with locks held, by the
// goroutine that brings the news: it must not block, and not call the watcher.
func (w *Watcher) Notify(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notify = f
	if w.first != nil || w.closed.Load() || w.lost.Load() {
		f()
	}
}

// takeFirst gives the event that the hub brought, or nil. If more came behind
// it, they are read up in the history, from the first of them on.
func (w *Watcher) takeFirst() *Event {
	e := w.first
	if e == nil {
		return nil
	}
	w.first, w.next = nil, e.Index()+1
	if w.missed != 0 {
		w.next, w.missed, w.following = w.missed, 0, false
	}
	return e
}

// scan looks through the history from the cursor on, and has the hub take over
// at its end. While it scans, next belongs to it alone.
func (w *Watcher) scan() (*Event, error) {
	for {
		head, more := w.behind()
		if !more {
			return nil, nil
		}
		for w.next <= head {
			e := w.store.history.at(w.next)
			if e == nil {
				return nil, cleared(w.store.View(), w.next)
			}
			w.next++
			if w.concerns(e) {
				return e, nil
			}
		}
	}
}

// behind gives the newest index if the cursor has not passed it yet. Otherwise
// the watcher follows from now on. The hub is told of an event after it was
// published: either it is seen here, or wake finds the watcher following.
func (w *Watcher) behind() (head uint64, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	head = w.store.View().index
	w.following = w.next > head
	return head, !w.following
}

// Close ends the watch; a Next that waits returns ErrWatcherClosed.
func (w *Watcher) Close() {
	if w.closed.Swap(true) {
		return
	}
	w.store.hub.remove(w)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.signal()
}

// lose ends the watch because events may have passed it by.
func (w *Watcher) lose() {
	w.lost.Store(true)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.signal()
}

// wake is called by the hub with each event for the watcher.
func (w *Watcher) wake(e *Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !w.following || e.Index() < w.next:
	case w.first == nil:
		w.first = e
		w.signal()
	case w.missed == 0:
		w.missed = e.Index()
	}
}

// signal tells that there is something for Poll.
func (w *Watcher) signal() {
	if w.notify != nil {
		w.notify()
	}
}

// concerns reports whether the watcher follows what the event is about.
func (w *Watcher) concerns(e *Event) bool {
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

func cleared(v *View, since uint64) *Error {
	return &Error{
		Code:  CodeHistoryCleared,
		Cause: fmt.Sprintf("the requested history has been cleared [%d/%d]", v.oldest, since),
		Index: v.index,
	}
}
