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
type held struct {
	message *raftpb.Message
	since   time.Time
}

// holds reports whether one more proposal is held: the first, and as many as there is
// room for. What is dropped beyond times out.
func (l *loop) holds(m *raftpb.Message) bool {
	size := transport.MessageSize(m)
	for _, h := range l.held {
		size += transport.MessageSize(h.message)
	}
	return len(l.held) == 0 || size <= l.limits.held
}

// offer gives raft a proposal, and holds it if raft takes none now. Its error is
// final: the proposal is in no log and never will be.
func (l *loop) offer(m *raftpb.Message, since time.Time) error {
	err := l.raw.Step(m)
	if errors.Is(err, etcdraft.ErrProposalDropped) && l.holds(m) {
		l.held = append(l.held, held{m, since})
		return nil
	}
	return err
}

// offerHeld offers again, each tick and when somebody leads, what raft did not
// take, until those who wait for it have given up.
func (l *loop) offerHeld(now time.Time) {
	waiting := l.held
	l.held = nil
	for _, h := range waiting {
		if now.Sub(h.since) < l.cfg.Timeout {
			// An error is about a proposal that times out.
			_ = l.offer(h.message, h.since)
		}
	}
}
