package raft

import (
	"context"
	"sync"
)

// readQueue holds the callers of Barrier that wait for the next round of the reader. Its methods may be called from any
// goroutine.
type readQueue struct {
	mu      sync.Mutex
	waiting []chan error
	closed  error
	wake    chan struct{} // signals the core that a caller waits
}

func newReadQueue() *readQueue { return &readQueue{wake: make(chan struct{}, 1)} }

// Barrier returns when the tree of this member holds every change that any member acknowledged before the call: a read
// after it is linearizable. It writes nothing to the log or the disk. Its errors are *tree.Error with a code of the 300s.
func (n *Node) Barrier(ctx context.Context) error {
	if n.state.localReads.Load() {
		return nil
	}
	c := make(chan error, 1)
	if err := n.readers.add(c); err != nil {
		return apiError(err)
	}
	select {
	case err := <-c:
		if err != nil {
			return apiError(err)
		}
		return nil
	case <-ctx.Done():
		return apiError(ctx.Err())
	}
}

// add queues a caller. Its channel must have room for the one answer.
func (q *readQueue) add(c chan error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed != nil {
		return q.closed
	}
	q.waiting = append(q.waiting, c)
	wake(q.wake)
	return nil
}

func (q *readQueue) any() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) > 0
}

// take removes all callers from the queue.
func (q *readQueue) take() []chan error {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.waiting
	q.waiting = nil
	return w
}

// close answers the callers that wait, and refuses all further ones.
func (q *readQueue) close(err error) {
	q.mu.Lock()
	q.closed = err
	w := q.waiting
	q.waiting = nil
	q.mu.Unlock()
	answerReaders(w, err)
}

func answerReaders(waiting []chan error, err error) {
	for _, c := range waiting {
		c <- err
	}
}
