package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"pando/tree"
)

// WatchOptions are the parameters of Watch.
type WatchOptions struct {
	Recursive bool   // changes of everything below the key too
	Index     uint64 // of the first change to return; 0: from now on
	// Reread continues after the history of the server was cleared: Next returns what is there now in place of the changes
	// that were lost. Without it, Next returns an error.
	Reread bool
	// Begun treats the watch as one that the cluster has accepted already: if no member answers, it is resumed.
	Begun bool
	// Notes gets a line when the watch was interrupted and when it rereads; nil: nothing is written.
	Notes io.Writer
}

// Watcher returns the changes of a key, by one long poll after the other.
//
// Once a member has accepted the watch, a lost connection or an empty answer does not end it: it is resumed at the index
// after the last change. A Watcher must be used by one goroutine at a time.
type Watcher struct {
	client *Client
	key    string
	o      WatchOptions

	next     uint64 // index to ask for; 0: from now on, until a member has said which index that is
	accepted bool   // a member has accepted the watch once
	pending  []*Event
	backoff  Backoff
}

// Watch makes a watcher of key. The first Next opens the watch.
func (c *Client) Watch(key string, o WatchOptions) *Watcher {
	if o.Notes == nil {
		o.Notes = io.Discard
	}
	return &Watcher{client: c, key: key, o: o, next: o.Index, accepted: o.Begun}
}

// Next waits for the next change. After an error the watch has ended: ctx is done, or the cluster refused the watch, or no
// member has ever accepted it.
func (w *Watcher) Next(ctx context.Context) (*Event, error) {
	for len(w.pending) == 0 {
		e, err := w.poll(ctx)
		switch {
		case err == nil:
			w.backoff = Backoff{}
			w.next = max(w.next, e.Node.ModifiedIndex+1)
			return e, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case w.o.Reread && HasCode(err, tree.CodeHistoryCleared):
			err = w.reread(ctx)
			if err == nil {
				continue
			}
			if !w.resumable(err) {
				return nil, err
			}
			w.note(err)
		case errors.Is(err, errEmptyBody):
		case w.resumable(err):
			w.note(err)
		default:
			return nil, err
		}
		if err := w.backoff.Wait(ctx); err != nil {
			return nil, err
		}
	}
	e := w.pending[0]
	w.pending = w.pending[1:]
	return e, nil
}

// poll is one long poll.
func (w *Watcher) poll(ctx context.Context) (*Event, error) {
	return w.client.keys(ctx, &request{
		method: http.MethodGet,
		path:   keyPath(w.key),
		query: url.Values{
			"recursive": {strconv.FormatBool(w.o.Recursive)},
			"wait":      {"true"},
			"waitIndex": {strconv.FormatUint(w.next, 10)},
		},
		untimed: true,
		accepted: func(h http.Header) {
			index, err := strconv.ParseUint(h.Get("X-Etcd-Index"), 10, 64)
			if err != nil {
				return
			}
			w.accepted = true
			if w.next == 0 {
				w.next = index + 1
			}
		},
	})
}

// resumable reports whether err interrupted a watch that had been accepted, without a refusal of the cluster.
func (w *Watcher) resumable(err error) bool {
	return w.accepted && (IsUnavailable(err) || errors.Is(err, errInvalidJSON))
}

// note writes the first of several interruptions in a row.
func (w *Watcher) note(err error) {
	if w.backoff.pause == 0 {
		fmt.Fprintf(w.o.Notes, "watch of %s interrupted (%s); resuming at index %d\n", w.key, OneLine(err), w.next)
	}
}

// reread replaces the changes that the server no longer has by what is there now: every key that was changed since then, in
// the order of the changes, as an event with the action "get". Keys that were deleted since then are not shown.
func (w *Watcher) reread(ctx context.Context) error {
	e, err := w.client.Get(ctx, w.key, GetOptions{Recursive: w.o.Recursive, Quorum: true})
	var now uint64
	switch refusal, refused := errors.AsType[*APIError](err); {
	case err == nil:
		now = e.Index
		collectChanged(e.Node, w.next, &w.pending)
		slices.SortStableFunc(w.pending, func(a, b *Event) int {
			return int(a.Node.ModifiedIndex) - int(b.Node.ModifiedIndex)
		})
	case refused && refusal.Code == tree.CodeKeyNotFound:
		now = refusal.Index
	default:
		return err
	}
	for _, p := range w.pending {
		p.Index = now
	}
	fmt.Fprintf(w.o.Notes, "watch of %s: the server no longer has the changes from index %d on; read again at index %d: "+
		"%d keys changed since, removals are not shown\n", w.key, w.next, now, len(w.pending))
	w.next = max(w.next, now+1)
	return nil
}

// collectChanged appends the keys at and below n that were changed at index since or later.
func collectChanged(n *Node, since uint64, events *[]*Event) {
	if !n.Dir && n.ModifiedIndex >= since {
		*events = append(*events, &Event{Action: "get", Node: n})
	}
	for _, child := range n.Nodes {
		collectChanged(child, since, events)
	}
}

// The pauses of a Backoff.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
)

// Backoff waits between attempts, each time twice as long as before, up to two seconds. The zero value is ready.
type Backoff struct{ pause time.Duration }

// Wait waits before the next attempt. It returns the error of ctx when that ends first.
func (b *Backoff) Wait(ctx context.Context) error {
	b.pause = min(max(2*b.pause, firstPause), lastPause)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(b.pause):
		return nil
	}
}

// First reports whether Wait has not been called.
func (b *Backoff) First() bool { return b.pause == 0 }
