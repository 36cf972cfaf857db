package migrate

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"pando/ctl/client"
)

// historyWidth is the number of indexes that are read from the history at the same time, after the first request has shown that the
// history has events to read.
const historyWidth = 16

// errMissed is returned if the history has an event that was taken for an index without one.
var errMissed = errors.New("the source had a change that it did not send in time")

// readHistory reads the history of a member up to an index, and puts it into the queue. The index of the member must be at or above until.
func (r *reader) readHistory(ctx context.Context, m member, until uint64) error {
	width := 1
	for r.read < until {
		found, err := r.readWindow(ctx, m, min(width, int(until-r.read)))
		if err != nil {
			return err
		}
		width = min(width*4, historyWidth)
		if len(found) > 0 {
			if err := r.prove(ctx, m, found[0]); err != nil {
				return err
			}
		}
		for _, e := range found {
			if e.Node.ModifiedIndex > until { // the stream has it, too
				return r.emitSilent(ctx, until)
			}
			if err := r.emit(ctx, e); err != nil {
				return err
			}
			r.proven = r.read
		}
	}
	return nil
}

// readWindow reads the history at the next indexes at the same time. It returns all events from the next index to that of the last event.
// If there are none up to the index of the member, it puts this into the queue. The member must have all of the indexes: a request for
// one that comes later is a watch.
func (r *reader) readWindow(ctx context.Context, m member, width int) ([]*client.Event, error) {
	found := make([]*client.Event, width)
	at := make([]client.Position, width)
	group, reading := errgroup.WithContext(ctx)
	for i := range width {
		group.Go(func() (err error) {
			found[i], at[i], err = m.history(reading, r.read+1+uint64(i), historyPatience)
			if found[i] != nil && found[i].Node.ModifiedIndex > at[i].Index {
				found[i] = nil // it is not from the history, but of a watch, which leaves hidden keys out
			}
			return err
		})
	}
	switch err := group.Wait(); {
	case isCleared(err):
		return nil, errWindowLost
	case err != nil:
		return nil, err
	}
	if found[0] == nil {
		return nil, r.emitSilent(ctx, at[0].Index)
	}
	found = slices.DeleteFunc(found, func(e *client.Event) bool { return e == nil })
	slices.SortFunc(found, func(a, b *client.Event) int { return compareIndex(a, b) })
	return slices.CompactFunc(found, func(a, b *client.Event) bool { return compareIndex(a, b) == 0 }), nil
}

func compareIndex(a, b *client.Event) int {
	return int(int64(a.Node.ModifiedIndex - b.Node.ModifiedIndex))
}

// prove checks that the history has no event at an index that was taken for one without an event, because a member had sent nothing in
// time. next is the next event of the history.
func (r *reader) prove(ctx context.Context, m member, next *client.Event) error {
	if r.proven >= r.read {
		return nil
	}
	e, _, err := m.history(ctx, r.proven+1, historyPatience)
	switch {
	case isCleared(err): // it can't be checked any more
		return nil
	case err != nil:
		return err
	case e != nil && e.Node.ModifiedIndex <= r.read:
		return errors.Join(errWindowLost, errMissed)
	}
	r.proven = next.Node.ModifiedIndex - 1
	return nil
}
