package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Exit codes of lock and elect.
const (
	exitLost    = 6 // what was held may be another's by now
	exitTooLong = 7 // the turn did not come within --wait
)

var (
	// errGone: somebody removed the key, or it expired because nothing could be refreshed.
	errGone = errors.New("its key is gone from the server: it expired or was removed")
	// errUnrefreshed: it may expire any moment.
	errUnrefreshed = errors.New("no member took a refresh in time")
)

// place is a place in a queue: an in-order key in the queue's directory. Whose key is the oldest has his turn. The key
// has a TTL and is refreshed until the place is left.
//
// Invariant: while lost is not done, the key exists, provided that the clocks of this machine and of the members run
// equally fast. It gets done grace before the key can expire at the earliest.
type place struct {
	client *client
	queue  string // the directory
	key    string
	index  uint64 // createdIndex: it grows from each holder to the next
	ttl    time.Duration
	grace  time.Duration // from the loss to the earliest end of the key
	notes  io.Writer

	lost context.Context // its cause says why
	lose context.CancelCauseFunc
}

// maxGrace limits how long before the end of its TTL a place counts as lost.
const maxGrace = 5 * time.Second

// join makes a place at the end of a queue and begins to refresh it. The place ends with leave.
func join(ctx context.Context, cl *client, queue, value string, seconds int, notes io.Writer) (*place, error) {
	began := time.Now()
	e, err := cl.createInOrder(ctx, queue, value, seconds)
	if err != nil {
		return nil, err
	}
	ttl := time.Duration(seconds) * time.Second
	pl := &place{
		client: cl, queue: queue, key: e.Node.Key, index: e.Node.CreatedIndex,
		ttl: ttl, grace: min(ttl/5, maxGrace), notes: notes,
	}
	pl.lost, pl.lose = context.WithCancelCause(context.WithoutCancel(ctx))
	keeper := *cl
	keeper.headerTimeout = ttl / 6 // a member that hangs leaves time for the others
	go pl.keep(&keeper, began.Add(ttl))
	return pl, nil
}

// keep refreshes the key every third of its TTL, and more often after a failure, until the place is lost or left.
func (pl *place) keep(cl *client, expires time.Time) {
	pause := pl.ttl / 3
	for failing := false; ; {
		select {
		case <-pl.lost.Done():
			return
		case <-time.After(min(pause, time.Until(expires)-pl.grace)):
		}
		sent := time.Now()
		ctx, cancel := context.WithDeadline(pl.lost, expires.Add(-pl.grace))
		err := cl.refresh(ctx, pl.key, pl.ttl)
		cancel()
		switch {
		case err == nil:
			expires, pause, failing = sent.Add(pl.ttl), pl.ttl/3, false
			continue
		case hasCode(err, codeKeyNotFound):
			pl.lose(errGone)
			return
		case pl.lost.Err() != nil:
			return
		case time.Until(expires) <= pl.grace:
			pl.lose(errUnrefreshed)
			return
		case !failing:
			fmt.Fprintf(pl.notes, "can't refresh %s, trying again (%s)\n", pl.key, oneLine(err))
		}
		pause, failing = pl.ttl/20, true
	}
}

// refresh renews the TTL of a key that exists, without waking its watchers.
func (cl *client) refresh(ctx context.Context, key string, ttl time.Duration) error {
	_, err := cl.keys(ctx, &request{
		method: http.MethodPut, path: keyPath(key), query: url.Values{"prevExist": {"true"}},
		contentType: formType, body: url.Values{"refresh": {"true"}, "ttl": {strconv.Itoa(int(ttl / time.Second))}}.Encode(),
	})
	return err
}

// await returns nil when it is this place's turn. It watches the key right ahead and nothing else, so that a turn that ends
// wakes one waiter.
func (pl *place) await(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(pl.lost, func() { cancel(context.Cause(pl.lost)) })()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		ahead, index, err := pl.ahead(ctx)
		if err == nil && ahead == "" {
			return context.Cause(ctx)
		}
		if err == nil {
			err = pl.passed(ctx, ahead, index)
		}
		if err == nil {
			pause = firstPause / 2
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, silent := errors.AsType[*clusterError](err); !silent {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// ahead returns the key right ahead of this place, "" if there is none, and the index at which that was so.
func (pl *place) ahead(ctx context.Context) (key string, index uint64, err error) {
	e, err := pl.client.read(ctx, pl.queue, readOptions{sorted: true, quorum: true})
	if hasCode(err, codeKeyNotFound) {
		return "", 0, errGone
	}
	if err != nil {
		return "", 0, err
	}
	here := false
	var nearest uint64
	for _, n := range e.Node.Nodes {
		switch {
		case n.Key == pl.key:
			here = true
		case !n.Dir && n.CreatedIndex < pl.index && n.CreatedIndex > nearest:
			nearest, key = n.CreatedIndex, n.Key
		}
	}
	if !here {
		return "", 0, errGone
	}
	return key, e.index, nil
}

// passed waits until something happens to a key after an index. It returns nil too when the server no longer knows.
func (pl *place) passed(ctx context.Context, key string, index uint64) error {
	w := &watcher{client: pl.client, key: key, next: index + 1, notes: io.Discard}
	_, err := w.wait(ctx)
	if hasCode(err, codeHistoryCleared) {
		return nil
	}
	return err
}

// leave ends the refreshing and removes the key, unless the place is lost. An error means that the key stays until its
// TTL ends.
func (pl *place) leave() error {
	if pl.lost.Err() != nil {
		return nil
	}
	pl.lose(nil)
	ctx, cancel := context.WithTimeout(context.Background(), pl.ttl)
	defer cancel()
	_, err := pl.client.remove(ctx, pl.key, conditions{})
	if err != nil && !hasCode(err, codeKeyNotFound) {
		return fmt.Errorf("%s could not be removed, it expires within %s: %s", pl.key, pl.ttl, oneLine(err))
	}
	if strings.HasPrefix(pl.queue, "/_") {
		// The last one takes its hidden directory along; while there are others in it, the server refuses.
		_, _ = pl.client.remove(ctx, pl.queue, conditions{dir: true})
	}
	return nil
}

// oneLine writes an error of several endpoints without line breaks.
func oneLine(err error) string {
	if cluster, ok := errors.AsType[*clusterError](err); ok && len(cluster.errs) > 0 {
		err = cluster.errs[len(cluster.errs)-1]
	}
	return strings.ReplaceAll(err.Error(), "\n", " ")
}
