package migrate

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"pando/ctl/client"
)

// historyWidth is the number of indexes that are read from the history at the same time, after the first request has shown that the
// history has events to read.
const historyWidth = 16

// errMissed is returned if the history has an event that was taken for an index without one.
var errMissed = errors.New("the source had a change that it did not send when its history was read")

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
			found[i], at[i], err = r.readIndex(reading, m, r.read+1+uint64(i))
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
	var events []*client.Event
	last := r.read
	for i, e := range found {
		switch since := r.read + 1 + uint64(i); {
		case since <= last: // the event before is at this index, or later
		case e == nil: // the others know nothing about this index
			return events, nil
		default:
			events, last = append(events, e), e.Node.ModifiedIndex
		}
	}
	return events, nil
}

// readIndex reads the first event of the history at or after an index. It returns none only after two attempts, because a member that
// stops for a moment can miss its own event once.
func (r *reader) readIndex(ctx context.Context, m member, index uint64) (e *client.Event, at client.Position, err error) {
	for range 2 {
		e, at, err = m.history(ctx, index, historyPause)
		if err != nil || e != nil && e.Node.ModifiedIndex <= at.Index {
			return e, at, err
		}
		e = nil // the event of a watch: it is not from the history, and a watch leaves hidden keys out
	}
	return nil, at, nil
}

// prove checks that the history has no event at an index that was taken for one without an event, because a member had sent nothing.
// next is the next event of the history.
func (r *reader) prove(ctx context.Context, m member, next *client.Event) error {
	if r.proven >= r.read {
		return nil
	}
	e, _, err := m.history(ctx, r.proven+1, historyPause)
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
