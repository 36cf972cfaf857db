package raft

import (
	"errors"
	"time"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"pando/raft/transport"
)

// held is a proposal, of this member or forwarded to it, that raft did not take:
// nobody leads, the leadership is being handed over, or too much is on its way.
// It is in no log, so offering it again can't make it happen twice.
type deferred struct {
	message *raftpb.Message
	since   time.Time
}

// holds reports whether one more proposal is held: the first, and as many as there is
// room for. What is dropped beyond times out.
func (c *core) roomToDefer(m *raftpb.Message) bool {
	size := transport.MessageSize(m)
	for _, h := range c.deferred {
		size += transport.MessageSize(h.message)
	}
	return len(c.deferred) == 0 || size <= c.limits.deferred
}

// offer gives raft a proposal, and holds it if raft takes none now. Its error is
// final: the proposal is in no log and never will be.
func (c *core) offer(m *raftpb.Message, since time.Time) error {
	err := c.raw.Step(m)
	if errors.Is(err, etcdraft.ErrProposalDropped) && c.roomToDefer(m) {
		c.deferred = append(c.deferred, deferred{m, since})
		return nil
	}
	return err
}

// offerHeld offers again, each tick and when somebody leads, what raft did not
// take, until those who wait for it have given up.
func (c *core) retryDeferred(now time.Time) {
	waiting := c.deferred
	c.deferred = nil
	for _, h := range waiting {
		if now.Sub(h.since) < c.cfg.Timeout {
			// An error is about a proposal that times out.
			_ = c.offer(h.message, h.since)
		}
	}
}
