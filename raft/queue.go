package raft

import (
	"sync"
	"time"

	"pando/tree"
)

// maxEntryCommand is how many commands an entry has at most: well below the usual
// history, so that a watcher can follow.
const maxEntryCommand = 512

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
	bytes   int // of what waits
	most    int // bound of bytes
	closed  error
	// wake tells the loop that something is waiting.
	wake chan struct{}
}

func newQueue(most int) *queue { return &queue{most: most, wake: make(chan struct{}, 1)} }

// add takes a proposal for the loop, which has to be woken then, or says why it
// takes none.
func (q *queue) add(p *proposal) error {
	p.since = time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed != nil:
		return q.closed
	case len(q.waiting) > 0 && q.bytes+p.size() > q.most:
		return errTooMany
	}
	q.waiting = append(q.waiting, p)
	q.bytes += p.size()
	return nil
}

// proposalOverhead is about what a proposal and its caller's goroutine take up in
// memory beside the command.
const proposalOverhead = 4 << 10

func (p *proposal) size() int { return len(p.data) + proposalOverhead }

// take gives the next proposals, as many as one entry may hold, appended to
// buf.
func (q *queue) take(buf []*proposal) []*proposal {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.waiting) && n < maxEntryCommand && (n == 0 || size+len(q.waiting[n].data) <= batchBytes) {
		size += len(q.waiting[n].data)
		q.bytes -= q.waiting[n].size()
		n++
	}
	buf = append(buf, q.waiting[:n]...)
	rest := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	return buf
}

// expire gives the proposals that have waited since before the given time, and
// forgets them.
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

// close refuses all further proposals with err and gives those that wait.
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

// wake signals a channel with room for one signal.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
