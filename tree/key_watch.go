package tree

import (
	"sync"
	"sync/atomic"
)

// KeyWatcher returns the changes of the keys in a range, revision by revision. Like a Watcher it is a cursor on the history without a
// queue, so a slow reader costs no memory. A KeyWatcher is in one of two modes:
//
//   - behind: there may be events at or after the cursor. Poll reads the history. When the cursor passes the newest index, the watcher
//     becomes live.
//   - live: the watcher has returned all events. The hub stores the index of the next matching event in the watcher. Poll then continues
//     to read the history with this event: the watcher is behind again.
//
// If the history no longer holds the event at the cursor, Poll returns an error. A live watcher without a next event loses nothing by a
// compaction.
//
// Only one goroutine at a time may call Poll, Notify and MergeInto. Any goroutine may call Close.
type KeyWatcher struct {
	store *Store
	keys  KeyRange // never changes
	start uint64   // the least revision of an event that the watcher returns; never changes after WatchKeys
	place int      // among the watchers of the range; the mutex of the hub guards it

	closed atomic.Bool

	mu     sync.Mutex
	notify func() // see Notify; may be nil
	live   bool
	// next is the index of the first matching event since the watcher became live, or zero.
	next uint64
	// cursor is the index from which on to read the history. While the watcher is behind, only the polling goroutine uses it, without mu.
	cursor uint64
	// resumed says that the tree was replaced: the watcher is behind, whatever the other fields say.
	resumed bool

	// The polling goroutine alone uses the fields below.

	returned uint64 // all events up to this revision have been returned
	// after is the last key that was returned of a removed directory whose event is at the cursor. It is empty before the first.
	after string
}

// KeyBatch is what Poll returns.
type KeyBatch struct {
	// Events are in the order of the changes, and those of a removed directory in the order of the keys. The slice belongs to the caller.
	Events []KeyEvent
	// Revision is a revision up to which all events have been returned, by this batch or earlier ones.
	Revision uint64
	// Partial says that the last revision of Events has more events, which the next batches return.
	Partial bool
	// Live says that there were no more events. The function of Notify is called when there are. It is set only if Events is not empty.
	Live bool
}

// WatchKeys opens a watcher of the keys in a range. The watcher returns the events from the revision start on, which may lie in the future.
// If start is zero, it returns the events after this call. WatchKeys returns an *Error of CodeCompacted if the history no longer holds the
// events from start on; Error.Revision is then the first revision with which a watch can begin. The caller must close the watcher.
func (s *Store) WatchKeys(r KeyRange, start uint64) (*KeyWatcher, *Error) {
	w := &KeyWatcher{store: s, keys: r}
	s.keyHub.add(w)
	if err := w.begin(start); err != nil {
		s.keyHub.remove(w)
		return nil, err
	}
	return w, nil
}

// begin sets the cursor. No event is lost: any event that is published after the view is read is passed to offer, which waits for mu.
func (w *KeyWatcher) begin(start uint64) *Error {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.store.View()
	w.start = start
	if start == 0 {
		w.start = v.Revision() + 1
	}
	if w.start > v.Revision() {
		w.cursor, w.live = v.index+1, true
	} else {
		cursor, err := w.store.findRevision(w.start)
		if err != nil {
			return err
		}
		w.cursor = cursor
	}
	w.returned = min(w.start-1, v.Revision())
	return nil
}

// Start returns the least revision of an event that the watcher returns.
func (w *KeyWatcher) Start() uint64 { return w.start }

// Keys returns the range of the watcher.
func (w *KeyWatcher) Keys() KeyRange { return w.keys }

// KeyWatchers returns the number of open key watchers.
func (s *Store) KeyWatchers() int { return int(s.keyHub.watchers.Load()) }

// Notify registers a function, in the place of an earlier one. After Poll has returned no event and no error, f is called when Poll has an
// event or an error to return. If it may have one already, Notify calls f at once. f is also called after a change of the users that may
// have taken rights away: the reader must check again whether it may read the keys. So Poll may have nothing to return after a call of f. f
// is called with locks held, by the goroutine that calls Announce, Replace, Close or Notify: f must not block and must not call methods of
// the watcher.
func (w *KeyWatcher) Notify(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notify = f
	if !w.live || w.next != 0 || w.resumed || w.closed.Load() {
		f()
	}
}

// Close ends the watch. Poll then returns nothing. Further calls of Close do nothing.
func (w *KeyWatcher) Close() {
	if w.closed.Swap(true) {
		return
	}
	w.store.keyHub.remove(w)
	w.signal()
}

// MergeInto closes the watcher if both watchers have the same keys and are live at the same place of the history: other then returns the
// events that the watcher would have returned. It reports whether it has closed the watcher. The caller must poll both watchers, and other
// must be another watcher of the same store.
func (w *KeyWatcher) MergeInto(other *KeyWatcher) bool {
	announced := w.store.announced.Load() // before live is read: the hub has offered all events up to it
	cursor, live := w.skip(announced)
	otherCursor, otherLive := other.skip(announced)
	if w.keys != other.keys || !live || !otherLive || cursor != otherCursor {
		return false
	}
	other.returned = max(other.returned, w.returned)
	w.Close()
	return true
}

// skip moves the cursor of a live watcher behind the events that were announced. None of them matches if there is no next event. It returns
// the cursor, and false if the watcher is not live, has a next event, or begins at a later revision.
func (w *KeyWatcher) skip(announced uint64) (cursor uint64, live bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.live || w.next != 0 || w.resumed || w.closed.Load() || w.start > w.returned+1 {
		return 0, false
	}
	w.cursor = max(w.cursor, announced+1)
	return w.cursor, true
}

// offer is called by the hub for each event that concerns the range, in the order of the indexes.
func (w *KeyWatcher) offer(e *Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.live && w.next == 0 && e.Index() >= w.cursor && e.Revision() >= w.start {
		w.next = e.Index()
		w.signalLocked()
	}
}

// loseUpTo is called by the hub when all events up to last are lost. Poll then finds that the history no longer holds its next event.
func (w *KeyWatcher) loseUpTo(last uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.live && w.next == 0 && w.cursor <= last {
		w.next = w.cursor
		w.signalLocked()
	}
}

// resume is called by the hub after the tree was replaced: events may have been published that were not announced.
func (w *KeyWatcher) resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resumed = true
	w.signalLocked()
}

// signal calls the function of Notify.
func (w *KeyWatcher) signal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.signalLocked()
}

// signalLocked calls the function of Notify. Callers must hold mu.
func (w *KeyWatcher) signalLocked() {
	if w.notify != nil {
		w.notify()
	}
}
