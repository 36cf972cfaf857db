package raft

import (
	"sync"
	"time"

	"pando/tree"
)

// maxEntryChanges bounds the changes of the commands of an entry, where a transaction counts for each of its operations. It is well
// below the usual size of the history, so that a watcher does not lose events of one entry.
const maxEntryChanges = 512

// proposal is one command with the caller that waits for its outcome.
type proposal struct {
	data    []byte // the encoded command
	changes int    // the largest number of changes that the command makes
	since   time.Time
	// done receives the outcome. It has room for one, so the core never waits for a caller that has given up.
	done chan outcome
}

type outcome struct {
	result tree.Result
	err    error
}

// queue holds the proposals that wait for an entry. Its methods may be called from any goroutine.
type queue struct {
	mu       sync.Mutex
	waiting  []*proposal
	bytes    int // of the proposals in it
	maxBytes int
	closed   error
	// wake signals the core that a proposal waits.
	wake chan struct{}
}

func newQueue(maxBytes int) *queue { return &queue{maxBytes: maxBytes, wake: make(chan struct{}, 1)} }

// add appends a proposal, or returns an error. After a success the caller must wake the core.
func (q *queue) add(p *proposal) error {
	p.since = time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed != nil:
		return q.closed
	case len(q.waiting) > 0 && q.bytes+p.size() > q.maxBytes:
		return errTooMany
	}
	q.waiting = append(q.waiting, p)
	q.bytes += p.size()
	return nil
}

// proposalOverhead is about the memory that a proposal and its caller's goroutine take beside the command.
const proposalOverhead = 4 << 10

func (p *proposal) size() int { return len(p.data) + proposalOverhead }

// take removes the next proposals, as many as one entry may have, and appends them to buf.
func (q *queue) take(buf []*proposal) []*proposal {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size, changes := 0, 0, 0
	for ; n < len(q.waiting); n++ {
		next := q.waiting[n]
		size += len(next.data)
		changes += next.changes
		if n > 0 && (size > batchBytes || changes > maxEntryChanges) {
			break
		}
		q.bytes -= next.size()
	}
	buf = append(buf, q.waiting[:n]...)
	rest := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	return buf
}

// expire removes the proposals that were added before the given time, and returns them.
func (q *queue) expire(before time.Time) []*proposal {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for n < len(q.waiting) && q.waiting[n].since.Before(before) {
		q.bytes -= q.waiting[n].size()
		n++
	}
	if n == 0 {
		return nil
	}
	old := q.waiting[:n:n]
	q.waiting = append([]*proposal(nil), q.waiting[n:]...)
	return old
}

// oldest is the time at which the first proposal in the queue began to wait; zero when the queue is empty.
func (q *queue) oldest() time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return time.Time{}
	}
	return q.waiting[0].since
}

// close refuses all further proposals with err, removes those in the queue and returns them.
func (q *queue) close(err error) []*proposal {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = err
	left := q.waiting
	q.waiting, q.bytes = nil, 0
	return left
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// wake sends a signal to a channel with room for one, unless one is there.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
