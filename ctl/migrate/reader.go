package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"pando/ctl/client"
	"pando/tree"
)

// The pace of a reader.
const (
	// pollInterval is the time between two looks at the index of the source while no event arrives.
	pollInterval = 200 * time.Millisecond
	// historyPause is the time between the header of a response from the history and the request to end it.
	historyPause = 50 * time.Millisecond
	// positionTimeout limits one look at the index. A member that exceeds it is left for the next one.
	positionTimeout = 5 * time.Second
	// maxBatch is the number of events that are taken from a stream at once.
	maxBatch = 64
)

// errWindowLost is returned by a reader if the source no longer has the changes that come next.
var errWindowLost = errors.New("migrate: the source no longer has all changes")

// observer is notified of what a reader sees. Its methods are called from the goroutine of the reader.
type observer interface {
	// sourceIndex is called with the index of the source.
	sourceIndex(index uint64)
	// note is called with a message for the operator.
	note(text string)
}

// reader reads the changes of the source from an index on, without a hole, and puts them into a queue.
//
// It reads a stream of one member. A stream has no changes of hidden keys, so where an index is missing the reader reads the history of
// the member, which has all changes but refreshed TTLs and those of users. After an error it goes on with the next member.
type reader struct {
	members  []member
	check    func(clusterID string) error
	out      *queue
	observer observer

	read uint64 // the queue has everything up to this index
	// proven is the index up to which a later event of the history has proven that nothing is missing. Above it a member has ended
	// responses without an event.
	proven uint64
	at     int // index of the current member

	lagInterval time.Duration // zero stands for the constant
	seen        uint64        // the largest index of the current member
	others      uint64        // the largest index of the others when they were looked at last
}

// run reads until ctx ends. It returns errWindowLost, ErrOtherCluster, an error that another attempt can't change, or the error of ctx.
func (r *reader) run(ctx context.Context) error {
	r.proven = r.read
	r.lagInterval = cmp.Or(r.lagInterval, lagInterval)
	var backoff client.Backoff
	for {
		before := r.read
		err := r.readMember(ctx, r.members[r.at])
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case !isTemporary(err):
			return err
		}
		if r.read > before {
			backoff = client.Backoff{}
		}
		name := r.members[r.at].name()
		if !errors.Is(err, io.EOF) { // a stream that ends is no failure: etcd ends those that are read too slowly
			r.at = (r.at + 1) % len(r.members)
			r.observer.note(fmt.Sprintf("source %s: %s; going on with %s at index %d",
				name, client.OneLine(err), r.members[r.at].name(), r.read))
		}
		if err := backoff.Wait(ctx); err != nil {
			return err
		}
	}
}

// isTemporary reports whether another attempt, or one with another member, can succeed after err.
func isTemporary(err error) bool {
	if errors.Is(err, errWindowLost) || errors.Is(err, ErrOtherCluster) || errors.Is(err, errUnknownAction) {
		return false
	}
	_, refused := errors.AsType[*client.APIError](err)
	_, status := errors.AsType[*client.StatusError](err)
	return !refused && !status
}

// readMember reads from one member until an error occurs.
func (r *reader) readMember(ctx context.Context, m member) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := m.openStream(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	start := s.start()
	if err := r.check(start.ClusterID); err != nil {
		return err
	}
	r.seen, r.others = 0, 0
	r.saw(start.Index)
	if err := r.readHistory(ctx, m, start.Index); err != nil {
		return err
	}
	events := make(chan *client.Event, maxBatch)
	failed := make(chan error, 1)
	go func() { failed <- forwardEvents(ctx, s, events) }()
	others := make(chan uint64)
	if len(r.members) > 1 {
		go r.lookAtOthers(ctx, r.at, others)
	}
	return r.readStream(ctx, m, events, others, failed)
}

// forwardEvents sends the events of a stream to a channel, until an error occurs.
func forwardEvents(ctx context.Context, s stream, events chan<- *client.Event) error {
	for {
		e, err := s.Next()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case events <- e:
		}
	}
}

// readStream takes events from the channel of a stream, and looks at the index of the member while there are none.
func (r *reader) readStream(
	ctx context.Context, m member, events <-chan *client.Event, others <-chan uint64, failed <-chan error,
) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-events:
			batch := []*client.Event{e}
			for len(events) > 0 && len(batch) < maxBatch {
				batch = append(batch, <-events)
			}
			if err := r.take(ctx, m, batch); err != nil {
				return err
			}
			tick.Reset(pollInterval)
		case index := <-others:
			if err := r.checkLag(ctx, m, index); err != nil {
				return err
			}
		case err := <-failed:
			return err
		case <-tick.C:
			if err := r.look(ctx, m); err != nil {
				return err
			}
		}
	}
}

// take puts events of a stream into the queue, with the changes that the stream leaves out.
func (r *reader) take(ctx context.Context, m member, batch []*client.Event) error {
	r.saw(batch[len(batch)-1].Node.ModifiedIndex)
	for len(batch) > 0 {
		run := consecutive(batch, r.read)
		if len(run) == 0 { // something is missing before the first event, or it was read from the history
			first := batch[0].Node.ModifiedIndex
			if first > r.read+1 {
				if err := r.readHistory(ctx, m, first-1); err != nil {
					return err
				}
			}
			if first <= r.read {
				batch = batch[1:]
			}
			continue
		}
		if err := r.prove(ctx, m, run[0]); err != nil {
			return err
		}
		if err := r.emit(ctx, run...); err != nil {
			return err
		}
		r.proven = r.read
		batch = batch[len(run):]
	}
	return nil
}

// consecutive returns the events at the beginning of a batch whose indexes follow each other and the index read.
func consecutive(batch []*client.Event, read uint64) []*client.Event {
	n := 0
	for n < len(batch) && batch[n].Node.ModifiedIndex == read+1 {
		read++
		n++
	}
	return batch[:n]
}

// emit puts events whose indexes follow each other into the queue. Between r.read and the first one there may be indexes without an event.
func (r *reader) emit(ctx context.Context, events ...*client.Event) error {
	s := segment{to: events[len(events)-1].Node.ModifiedIndex}
	for _, e := range events {
		f, err := eventOf(e)
		if err != nil {
			return err
		}
		s.events = append(s.events, f)
	}
	s.silent = int(s.to-r.read) - len(events)
	if err := r.out.push(ctx, s); err != nil {
		return err
	}
	r.read = s.to
	return nil
}

// emitSilent notes in the queue that there are no events up to an index.
func (r *reader) emitSilent(ctx context.Context, to uint64) error {
	if to <= r.read {
		return nil
	}
	if err := r.out.push(ctx, segment{to: to, silent: int(to - r.read)}); err != nil {
		return err
	}
	r.read = to
	return nil
}

// look looks at the index of a member. If it is above everything that was read, look reads the history.
func (r *reader) look(ctx context.Context, m member) error {
	p, err := lookAt(ctx, m)
	if err == nil {
		err = r.check(p.ClusterID)
	}
	if err != nil {
		return err
	}
	r.saw(p.Index)
	if p.Index <= r.read {
		return nil
	}
	return r.readHistory(ctx, m, p.Index)
}

// lookAt returns the position of a member. It fails if that takes longer than positionTimeout.
func lookAt(ctx context.Context, m member) (client.Position, error) {
	limited, cancel := context.WithTimeout(ctx, positionTimeout)
	defer cancel()
	p, err := m.position(limited)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		err = fmt.Errorf("no response within %s", positionTimeout)
	}
	return p, err
}

// isCleared reports whether the history of a member begins after the index of a request.
func isCleared(err error) bool { return client.HasCode(err, tree.CodeHistoryCleared) }
