package migrate

import (
	"context"
	"sync"

	"pando/tree"
)

// segment is a part of the source's history without a hole: all changes of keys after the segment before and up to an index.
type segment struct {
	events []tree.EventFields // in the order of their indexes
	to     uint64
	silent int // number of indexes of the segment without an event
}

func (s *segment) size() int {
	size := 0
	for i := range s.events {
		size += encodedSize(&s.events[i])
	}
	return size
}

// queue holds segments between the goroutine that reads them and the one that applies them. Its limit is in bytes: a writer waits while
// the queue is at or above it.
type queue struct {
	limit int

	mu       sync.Mutex
	segments []segment
	bytes    int
	changed  chan struct{} // closed and replaced at each change
}

func newQueue(limit int) *queue { return &queue{limit: limit, changed: make(chan struct{})} }

// signal wakes everything that waits. Callers must hold mu.
func (q *queue) signal() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// wait waits until ready returns true, and returns with mu held. After an error mu is not held.
func (q *queue) wait(ctx context.Context, ready func() bool) error {
	for {
		q.mu.Lock()
		if ready() {
			return nil
		}
		changed := q.changed
		q.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// push appends a segment.
func (q *queue) push(ctx context.Context, s segment) error {
	if err := q.wait(ctx, func() bool { return q.bytes < q.limit }); err != nil {
		return err
	}
	defer q.mu.Unlock()
	q.segments = append(q.segments, s)
	q.bytes += s.size()
	q.signal()
	return nil
}

// setLimit changes the limit.
func (q *queue) setLimit(limit int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limit = limit
	q.signal()
}

// pop waits for segments and returns them as one, with at most limit bytes of events, or more if one event is larger.
func (q *queue) pop(ctx context.Context, limit int) (segment, error) {
	if err := q.wait(ctx, func() bool { return len(q.segments) > 0 }); err != nil {
		return segment{}, err
	}
	defer q.mu.Unlock()
	defer q.signal()
	var all segment
	for room := limit; len(q.segments) > 0; {
		part, rest := q.segments[0].split(room)
		if part.to == 0 && all.to == 0 { // one event is larger than the limit
			part, rest = q.segments[0].split(encodedSize(&q.segments[0].events[0]))
		}
		if part.to == 0 {
			break
		}
		size := part.size()
		room -= size
		q.bytes -= size
		all.events = append(all.events, part.events...)
		all.to, all.silent = part.to, all.silent+part.silent
		if rest.to != 0 {
			q.segments[0] = rest
			break
		}
		q.segments = q.segments[1:]
	}
	return all, nil
}

// split returns the beginning of s with at most limit bytes of events, and the rest. Each is zero if it is empty.
func (s segment) split(limit int) (part, rest segment) {
	size := 0
	for i := range s.events {
		size += encodedSize(&s.events[i])
		if size <= limit {
			continue
		}
		if i == 0 {
			return segment{}, s
		}
		part = segment{events: s.events[:i], to: indexOf(&s.events[i-1])}
		return part, segment{events: s.events[i:], to: s.to, silent: s.silent}
	}
	return s, segment{}
}
