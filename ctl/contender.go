package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"pando/ctl/client"
	"pando/tree"
)

var (
	// errKeyGone: somebody removed the key, or it expired because no refresh arrived.
	errKeyGone = errors.New("its key is gone from the server: it expired or was removed")
	// errNotRefreshed: no refresh was confirmed in time. The key may expire once the time grace has passed.
	errNotRefreshed = errors.New("no member took a refresh in time")
)

// contender is a key in a queue: an in-order key in the queue's directory. The contender with the oldest key holds the lock,
// or leads. The key has a TTL and is refreshed until the contender leaves the queue.
//
// Invariant: as long as lost is not done, the key can't have expired, provided that the clocks of this machine and of the
// members run equally fast. lost is done at least grace before the key can expire. If the key was removed,
// lost is done at the next refresh.
type contender struct {
	client *client.Client
	queue  string // the directory
	key    string
	index  uint64 // createdIndex: the fencing index, higher than that of all earlier holders
	ttl    time.Duration
	grace  time.Duration // from the loss to the earliest end of the key
	notes  io.Writer     // for a line when a refresh fails

	lost context.Context // done when the key is lost, with the reason as its cause, or when the contender leaves
	lose context.CancelCauseFunc
}

// maxGrace is the upper bound of grace: a key counts as lost at most that long before its TTL ends.
const maxGrace = 5 * time.Second

// enqueue creates a key at the end of a queue, and begins to refresh it. Callers must call leave.
func enqueue(ctx context.Context, cl *client.Client, queue, value string, seconds int, notes io.Writer) (*contender, error) {
	began := time.Now()
	e, err := cl.CreateInOrder(ctx, queue, value, seconds)
	if err != nil {
		return nil, err
	}
	ttl := time.Duration(seconds) * time.Second
	q := &contender{
		client: cl, queue: queue, key: e.Node.Key, index: e.Node.CreatedIndex,
		ttl: ttl, grace: min(ttl/5, maxGrace), notes: notes,
	}
	q.lost, q.lose = context.WithCancelCause(context.WithoutCancel(ctx))
	// Each member has a limit, so that a member that hangs leaves time to ask another.
	go q.refresh(cl.WithHeaderTimeout(ttl/6), began.Add(ttl))
	return q, nil
}

// refresh refreshes the key every third of its TTL, and more often after a failure, until the contender has lost it or left.
func (q *contender) refresh(cl *client.Client, expires time.Time) {
	pause := q.ttl / 3
	for failing := false; ; {
		select {
		case <-q.lost.Done():
			return
		case <-time.After(min(pause, time.Until(expires)-q.grace)):
		}
		sent := time.Now()
		ctx, cancel := context.WithDeadline(q.lost, expires.Add(-q.grace))
		err := cl.Refresh(ctx, q.key, q.ttl)
		cancel()
		switch {
		case err == nil:
			expires, pause, failing = sent.Add(q.ttl), q.ttl/3, false
			continue
		case client.HasCode(err, tree.CodeKeyNotFound):
			q.lose(errKeyGone)
			return
		case q.lost.Err() != nil:
			return
		case time.Until(expires) <= q.grace:
			q.lose(errNotRefreshed)
			return
		case !failing:
			fmt.Fprintf(q.notes, "can't refresh %s, trying again (%s)\n", q.key, client.OneLine(err))
		}
		pause, failing = q.ttl/20, true
	}
}

// awaitFirst returns nil when the contender is the first in the queue. It watches only the key before its own, so that the
// end of one holder wakes one contender.
func (q *contender) awaitFirst(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(q.lost, func() { cancel(context.Cause(q.lost)) })()
	backoff := client.Backoff{}
	for {
		before, index, err := q.keyBefore(ctx)
		if err == nil && before == "" {
			return context.Cause(ctx)
		}
		if err == nil {
			err = q.awaitChange(ctx, before, index)
		}
		switch {
		case err == nil:
			backoff = client.Backoff{}
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !client.IsUnavailable(err):
			return err
		case backoff.Wait(ctx) != nil:
			return context.Cause(ctx)
		}
	}
}

// keyBefore returns the key right before the contender's in the queue, empty if there is none, and the index of the store at
// that time.
func (q *contender) keyBefore(ctx context.Context) (key string, index uint64, err error) {
	e, err := q.client.Get(ctx, q.queue, client.GetOptions{Sorted: true, Quorum: true})
	if client.HasCode(err, tree.CodeKeyNotFound) {
		return "", 0, errKeyGone
	}
	if err != nil {
		return "", 0, err
	}
	exists := false
	var nearest uint64
	for _, n := range e.Node.Nodes {
		switch {
		case n.Key == q.key:
			exists = true
		case !n.Dir && n.CreatedIndex < q.index && n.CreatedIndex > nearest:
			nearest, key = n.CreatedIndex, n.Key
		}
	}
	if !exists {
		return "", 0, errKeyGone
	}
	return key, e.Index, nil
}

// awaitChange waits until a key changes after an index. It also returns nil if the server no longer has that part of the
// history.
func (q *contender) awaitChange(ctx context.Context, key string, index uint64) error {
	_, err := q.client.Watch(key, client.WatchOptions{Index: index + 1}).Next(ctx)
	if client.HasCode(err, tree.CodeHistoryCleared) {
		return nil
	}
	return err
}

// leave stops the refreshing and removes the key, unless it is lost. After an error the key stays until its TTL ends.
func (q *contender) leave() error {
	if q.lost.Err() != nil {
		return nil
	}
	q.lose(nil)
	ctx, cancel := context.WithTimeout(context.Background(), q.ttl)
	defer cancel()
	_, err := q.client.Delete(ctx, q.key, client.DeleteOptions{})
	if err != nil && !client.HasCode(err, tree.CodeKeyNotFound) {
		return fmt.Errorf("%s could not be removed, it expires within %s: %s", q.key, q.ttl, client.OneLine(err))
	}
	if strings.HasPrefix(q.queue, "/_") {
		// The last contender removes the hidden directory. While another key is in it, the server refuses.
		_, _ = q.client.Delete(ctx, q.queue, client.DeleteOptions{Dir: true})
	}
	return nil
}
