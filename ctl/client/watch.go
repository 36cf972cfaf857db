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

	"pando/tree"
)

// WatchOptions are the parameters of Watch.
type WatchOptions struct {
	Recursive bool   // watch all nodes below the key, too
	Index     uint64 // the index of the first change to return; 0: from now on
	// Reread continues the watch after the server's history has lost changes: Next returns the current keys instead of the
	// lost changes. Without it, Next returns an error.
	Reread bool
	// Begun treats the watch as accepted from the beginning: if no member responds, Next tries again instead of returning
	// an error.
	Begun bool
	// Notes receives a line when the watch is interrupted, and when it reads the current keys. It may be nil.
	Notes io.Writer
}

// Watcher returns the changes of a key. It sends long polls, one after the other.
//
// After a member has accepted the watch, a lost connection or an empty response does not end it: the Watcher resumes at the
// index after the last change. Only one goroutine at a time may use a Watcher.
type Watcher struct {
	client *Client
	key    string
	o      WatchOptions

	next     uint64   // waitIndex of the next poll; 0: from now on. The first response replaces 0 by an index.
	accepted bool     // whether a member has accepted the watch
	pending  []*Event // from reread, not returned yet
	backoff  Backoff
}

// Watch returns a Watcher of key. The first call of Next sends the first request.
func (c *Client) Watch(key string, o WatchOptions) *Watcher {
	if o.Notes == nil {
		o.Notes = io.Discard
	}
	return &Watcher{client: c, key: key, o: o, next: o.Index, accepted: o.Begun}
}

// Next waits for the next change. It returns an error if ctx is done, if a member refuses the watch, or if no member has
// accepted it. The watch has then ended.
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

// poll sends one long poll.
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
		onHeader: func(h http.Header) {
			index, err := strconv.ParseUint(h.Get(indexHeader), 10, 64)
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

// resumable reports whether the watch can be resumed after err: it was accepted, and err is not a refusal.
func (w *Watcher) resumable(err error) bool {
	return w.accepted && (IsUnavailable(err) || errors.Is(err, errInvalidJSON))
}

// note writes a line about an interruption, unless the poll before was interrupted, too.
func (w *Watcher) note(err error) {
	if w.backoff.pause == 0 {
		fmt.Fprintf(w.o.Notes, "watch of %s interrupted (%s); resuming at index %d\n", w.key, OneLine(err), w.next)
	}
}

// reread is called if the server no longer has the changes from w.next on. It reads the current keys, and makes an event
// with the action "get" of each key that was modified since, in the order of the modifications. Deleted keys have no event.
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

// collectChanged appends an event for each key at and below n that was modified at index since or later.
func collectChanged(n *Node, since uint64, events *[]*Event) {
	if !n.Dir && n.ModifiedIndex >= since {
		*events = append(*events, &Event{Action: "get", Node: n})
	}
	for _, child := range n.Nodes {
		collectChanged(child, since, events)
	}
}
