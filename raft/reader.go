package raft

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"
	"time"
)

// reader makes reads linearizable without a log entry. All callers of Barrier that wait share one round: the leader
// confirms by a heartbeat to a quorum that it still leads, and gives its commit index; when this member has applied as
// much, the round is answered. At most one round is in progress. A caller that comes meanwhile waits for the next one,
// because the index of the round may be older than the call.
//
//	Barrier ─► waiting in the queue ─► in the round ─► confirmed with an index ─► applied: answered
//	             │ no leader for too long    │ asked again every readRetryTicks
//	             ▼                           ▼
//	          timed out                   timed out
//
// Only the goroutine that has the turn may use a reader. Any goroutine may use the queue.
type reader struct {
	state   *logState
	raft    readIndexer
	queue   *readQueue
	maxWait time.Duration // of a caller
	inTicks func(n int) time.Time

	// number is that of the last round. It begins at random: an answer to a round of an earlier process of this member may
	// still arrive.
	number  uint64
	context []byte       // the round's number, as the leader repeats it
	waiting []chan error // the callers that share the round; nil while no round is in progress
	index   uint64       // the confirmed index; zero while the round is not confirmed
	// minIndex is the commit index of this member when the round began. Any valid answer has at least this index.
	minIndex uint64

	roundTimeout *deadline
	queueTimeout *deadline
	retry        *deadline
}

// readIndexer is the part of the raft library that a reader uses.
type readIndexer interface {
	ReadIndex(context []byte)
	isLeader() bool
	term() uint64
}

// readRetryTicks is the number of ticks after which an unanswered round is asked for again: raft drops a request when the
// leader has just changed.
const readRetryTicks = 5

func newReader(state *logState, raft readIndexer, queue *readQueue, limit time.Duration, d *deadlines) *reader {
	r := &reader{state: state, raft: raft, queue: queue, maxWait: limit, inTicks: d.inTicks, number: randomNumber()}
	r.roundTimeout = d.add(func(time.Time) { r.answer(errTimeout) })
	r.queueTimeout = d.add(func(time.Time) { r.expireQueue() })
	r.retry = d.add(func(time.Time) { r.askAgain() })
	return r
}

// start begins a round if callers wait and no round is in progress.
func (r *reader) start() {
	if !r.state.hasLeader() {
		if !r.queueTimeout.isSet() && r.queue.any() {
			r.queueTimeout.set(time.Now().Add(r.maxWait))
		}
		return
	}
	if r.waiting != nil || !r.queue.any() || r.answersTooEarly() {
		return
	}
	r.waiting = r.queue.take()
	r.queueTimeout.cancel()
	r.number++
	r.index, r.minIndex = 0, r.state.committed.Load()
	r.context = binary.BigEndian.AppendUint64(nil, r.number)
	r.roundTimeout.set(time.Now().Add(r.maxWait))
	r.ask()
}

func (r *reader) ask() {
	r.retry.set(r.inTicks(readRetryTicks))
	r.raft.ReadIndex(r.context)
}

// askAgain repeats the request of a round that is not confirmed: a new leader does not have the request.
func (r *reader) askAgain() {
	if r.waiting == nil || r.index != 0 {
		return
	}
	if r.answersTooEarly() {
		r.retry.set(r.inTicks(readRetryTicks))
		return
	}
	r.ask()
}

// answersTooEarly reports whether the raft library would answer a read with an index that may be too low. A leader knows
// what was committed before its term only after it has committed an entry of its own term. The library makes reads wait
// for that, except where the leader is the only voter: after a restart, its commit index may be lower than what it has
// acknowledged.
func (r *reader) answersTooEarly() bool {
	return r.state.soleVoter() && r.raft.isLeader() && r.state.appliedTerm != r.raft.term()
}

// confirm takes the leader's answer to a round. It ignores an index lower than minIndex: such an index comes from a leader
// with another log, and proves nothing about the tree of this member.
func (r *reader) confirm(context []byte, index uint64) {
	if r.waiting != nil && bytes.Equal(context, r.context) && index >= r.minIndex {
		r.index = index
	}
}

// release answers the round once the tree has applied the confirmed index.
func (r *reader) release() {
	if r.waiting != nil && r.index != 0 && r.state.applied.Load() >= r.index {
		r.answer(nil)
	}
}

// answer ends the round.
func (r *reader) answer(err error) {
	answerReaders(r.waiting, err)
	r.waiting = nil
	r.roundTimeout.cancel()
	r.retry.cancel()
}

// expireQueue answers the callers that have waited too long for a leader.
func (r *reader) expireQueue() {
	if !r.state.hasLeader() {
		answerReaders(r.queue.take(), errTimeout)
	}
}

// close answers all callers, and all further ones, with an error.
func (r *reader) close(err error) {
	r.queue.close(err)
	r.answer(err)
}

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
	if n.ReadsLocally() {
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

// ReadsLocally reports whether Barrier returns at once.
func (n *Node) ReadsLocally() bool { return n.state.localReads.Load() }

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
