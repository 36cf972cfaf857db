package raft

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"
	"time"

	etcdraft "go.etcd.io/raft/v3"
)

// readers collects those who wait for a linearizable read, for the loop.
type readers struct {
	mu      sync.Mutex
	waiting []chan error
	closed  error
	wake    chan struct{}
}

func newReaders() *readers { return &readers{wake: make(chan struct{}, 1)} }

// Barrier returns when the tree here holds every change that was acknowledged
// to anyone before the call: a read after it is linearizable. It writes
// nothing to the log or the disk. Its errors are *tree.Error of the 300s.
func (n *Node) Barrier(ctx context.Context) error {
	if n.sole.Load() {
		// What was acknowledged to anyone was applied here before.
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

func (r *readers) add(c chan error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed != nil {
		return r.closed
	}
	r.waiting = append(r.waiting, c)
	wake(r.wake)
	return nil
}

func (r *readers) any() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting) > 0
}

func (r *readers) take() []chan error {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.waiting
	r.waiting = nil
	return w
}

func (r *readers) close(err error) {
	r.mu.Lock()
	r.closed = err
	w := r.waiting
	r.waiting = nil
	r.mu.Unlock()
	answerReaders(w, err)
}

// reads is the loop's side: at most one round under way, shared by all that
// waited when it began.
type reads struct {
	// round numbers the rounds, from where no earlier process of this member
	// did: an answer to one of its rounds may still be on its way.
	round   uint64
	ctx     []byte
	waiting []chan error
	index   uint64 // confirmed for the round; zero while it is not
	// least is what was committed here when the round began. A leader knows of it.
	least uint64
	ticks int // that the round has waited
	// leaderless is how many ticks somebody has waited for a leader.
	leaderless int
}

// requestReadIndex begins a round when somebody waits and none is under way.
// Whoever comes later waits for the next: the round's index may be older than
// they are.
func (c *core) requestReadIndex() {
	if c.reads.waiting != nil || c.leader.Load() == 0 || c.answersTooEarly() {
		return
	}
	if c.reads.waiting = c.readers.take(); c.reads.waiting == nil {
		return
	}
	c.reads.round++
	c.reads.index, c.reads.ticks, c.reads.leaderless = 0, 0, 0
	c.reads.least = c.committed.Load()
	c.reads.ctx = binary.BigEndian.AppendUint64(nil, c.reads.round)
	c.raw.ReadIndex(c.reads.ctx)
}

// answersTooEarly reports whether the upstream library would answer a read with an index
// that may be too low. A leader knows what was committed before its term only when it
// has committed an entry of its own. The library makes reads wait for that, except where
// the leader is the only member with a vote: after a restart, that may know less as
// committed than it has acknowledged.
func (c *core) answersTooEarly() bool {
	voters := c.confState.GetVoters()
	if len(voters) != 1 || voters[0] != uint64(c.id) || len(c.confState.GetVotersOutgoing()) > 0 {
		return false
	}
	s := c.raw.BasicStatus()
	return s.RaftState == etcdraft.StateLeader && c.appliedTerm != s.GetTerm()
}

// askReadIndexAgain asks a new leader: the old one may have dropped the request.
func (c *core) askReadIndexAgain() {
	if c.reads.waiting != nil && c.reads.index == 0 && !c.answersTooEarly() {
		c.raw.ReadIndex(c.reads.ctx)
	}
}

// readRetryTicks is after how many ticks an unanswered round is asked for again:
// raft drops a request when the leader has just changed.
const readRetryTicks = 5

func (c *core) retryReadIndex() {
	if c.leader.Load() == 0 {
		c.expireReaders()
	}
	if c.reads.waiting == nil {
		return
	}
	c.reads.ticks++
	switch {
	case time.Duration(c.reads.ticks)*c.cfg.Tick > c.cfg.Timeout:
		c.reads.answer(errTimeout)
	case c.reads.index == 0 && c.reads.ticks%readRetryTicks == 0 && !c.answersTooEarly():
		c.raw.ReadIndex(c.reads.ctx)
	}
}

// expireReaders answers those who have waited for a leader for too long. They
// are counted from the tick at which the first of them was seen.
func (c *core) expireReaders() {
	if !c.readers.any() {
		c.reads.leaderless = 0
		return
	}
	c.reads.leaderless++
	if time.Duration(c.reads.leaderless)*c.cfg.Tick > c.cfg.Timeout {
		answerReaders(c.readers.take(), errTimeout)
		c.reads.leaderless = 0
	}
}

// confirmed notes the index up to which the tree must be applied. A leader that has less
// committed than this member has another log: its answer says nothing of the tree here.
func (r *reads) confirmed(ctx []byte, index uint64) {
	if r.waiting != nil && bytes.Equal(ctx, r.ctx) && index >= r.least {
		r.index = index
	}
}

// release answers the round when the tree has come so far.
func (r *reads) release(applied uint64) {
	if r.waiting != nil && r.index != 0 && applied >= r.index {
		r.answer(nil)
	}
}

func (r *reads) answer(err error) {
	answerReaders(r.waiting, err)
	r.waiting = nil
}

func answerReaders(waiting []chan error, err error) {
	for _, c := range waiting {
		c <- err
	}
}
