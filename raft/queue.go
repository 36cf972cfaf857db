package raft

import (
	"sync"
	"time"

	"pando/tree"
)

// Bounds of the queue and of what one entry takes from it.
const (
	maxQueued       = 16 << 10  // proposals
	maxQueuedBytes  = 128 << 20 // their encoded size
	maxEntryBytes   = 1 << 20   // beyond which no further command joins an entry
	maxEntryCommand = 512       // well below the usual history, so that a watcher can follow
)

// proposal is one command on its way through the log, with the one who waits
// for its outcome.
type proposal struct {
	data  []byte // the encoded command
	since time.Time
	// done receives the outcome. It has room for one, so the loop never waits
	// for a caller that has gone.
	done chan outcome
}

type outcome struct {
	result tree.Result
	err    error
}

// queue collects the proposals that arrive while the loop is at work.
type queue struct {
	mu      sync.Mutex
	waiting []*proposal
	bytes   int
	closed  error
	// wake tells the loop that something is waiting.
	wake chan struct{}
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// add takes a proposal for the loop, which has to be woken then, or says why it
// takes none.
func (q *queue) add(p *proposal) error {
	p.since = time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed != nil:
		return q.closed
	case len(q.waiting) >= maxQueued || q.bytes+len(p.data) > maxQueuedBytes:
		return errTooMany
	}
	q.waiting = append(q.waiting, p)
	q.bytes += len(p.data)
	return nil
}

// take gives the next proposals, as many as one entry may hold, appended to
// buf.
func (q *queue) take(buf []*proposal) []*proposal {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.waiting) && n < maxEntryCommand && (n == 0 || size+len(q.waiting[n].data) <= maxEntryBytes) {
		size += len(q.waiting[n].data)
		n++
	}
	buf = append(buf, q.waiting[:n]...)
	rest := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	q.bytes -= size
	return buf
}

// expire gives the proposals that have waited since before the given time, and
// forgets them.
func (q *queue) expire(before time.Time) []*proposal {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for n < len(q.waiting) && q.waiting[n].since.Before(before) {
		q.bytes -= len(q.waiting[n].data)
		n++
	}
	if n == 0 {
		return nil
	}
	old := q.waiting[:n:n]
	q.waiting = append([]*proposal(nil), q.waiting[n:]...)
	return old
}

// close refuses all further proposals with err and gives those that wait.
func (q *queue) close(err error) []*proposal {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = err
	left := q.waiting
	q.waiting = nil
	return left
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// wake signals a channel with room for one signal.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
