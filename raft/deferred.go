package raft

import (
	"errors"
	"time"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"pando/raft/transport"
)

// deferredProposals holds the proposals, of this member or forwarded to it, that raft did not take: there is no leader,
// the leadership is being transferred, or too many bytes wait for a quorum. They are in no log.
type deferredProposals struct {
	list     []deferredProposal
	maxBytes int // of the encoded messages
}

type deferredProposal struct {
	message *raftpb.Message
	since   time.Time
}

// add appends a proposal. It returns false when there is no room; the first proposal always has room.
func (d *deferredProposals) add(m *raftpb.Message, since time.Time) bool {
	size := transport.MessageSize(m)
	for _, each := range d.list {
		size += transport.MessageSize(each.message)
	}
	if len(d.list) > 0 && size > d.maxBytes {
		return false
	}
	d.list = append(d.list, deferredProposal{m, since})
	return true
}

// offer passes a proposal to raft, and defers it if raft takes none now. An error is final: the proposal is in no log and
// is not deferred.
func (p *proposer) offer(m *raftpb.Message, since time.Time) error {
	err := p.raft.Step(m)
	if errors.Is(err, etcdraft.ErrProposalDropped) && p.deferred.add(m, since) {
		p.retry.setEarliest(p.inTicks(1))
		return nil
	}
	return err
}

// retryDeferred offers the deferred proposals again, each tick and when there is a new leader, until their callers have
// timed out.
func (p *proposer) retryDeferred(now time.Time) {
	list := p.deferred.list
	p.deferred.list = nil
	for _, each := range list {
		if now.Sub(each.since) < p.maxWait {
			// After an error the proposal times out where its caller waits.
			_ = p.offer(each.message, each.since)
		}
	}
}
