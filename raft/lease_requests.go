package raft

import (
	"context"
	"errors"
	"math"
	"time"

	"pando/raft/transport"
	"pando/tree"
)

// The deadlines of the leases are in the memory of the leader. Other members send their requests to it; see leaseForwarder.

var (
	errNotLeader     = errors.New("raft: this member does not lead")
	errLeaseRevoking = errors.New("raft: the removal of the lease is not applied yet")
)

// RenewLease gives a lease its full time to live from now on, and returns this time in seconds. It returns 0 if there is no such
// lease. If it returns a time, the lease lasts at least this time from the call of RenewLease on, whatever the leader does. If
// the leader has already proposed to remove the lease, RenewLease waits for the outcome.
//
// It may be called on any member. It writes nothing to the log or the disk. Its errors are *tree.Error with a code of the 300s.
func (n *Node) RenewLease(ctx context.Context, id int64) (ttl int64, err error) {
	answer, err := n.askLease(ctx, transport.LeaseRequest{ID: id, Renew: true})
	if err == nil && !answer.Missing {
		emit(n.observer.LeaseRenewed)
	}
	return answer.TTL, err
}

// LeaseRemaining returns the time after which a lease ends unless it is renewed, in seconds, rounded down. It returns -1 if there
// is no such lease. Otherwise it is like RenewLease.
func (n *Node) LeaseRemaining(ctx context.Context, id int64) (ttl int64, err error) {
	answer, err := n.askLease(ctx, transport.LeaseRequest{ID: id})
	if err == nil && answer.Missing {
		return -1, nil
	}
	return answer.TTL, err
}

// MinLeaseTTL returns the shortest time to live, in seconds, with which a lease may be granted: one and a half times the election
// timeout, rounded up. A lease with a shorter one could end while the members elect a leader.
func (n *Node) MinLeaseTTL() int64 {
	return int64(math.Ceil(1.5 * n.core.cfg.electionTimeout().Seconds()))
}

// askLease sends a request to the leader, again after a pause if it could not be answered, until it is answered or the time limit
// of a proposal has passed.
func (n *Node) askLease(ctx context.Context, r transport.LeaseRequest) (transport.LeaseAnswer, error) {
	if n.FeatureLevel() < tree.KVLevel {
		return transport.LeaseAnswer{}, apiError(errOldMembers)
	}
	ctx, cancel := context.WithTimeout(ctx, n.core.cfg.Timeout)
	defer cancel()
	for {
		answer, err := n.tryLease(ctx, r)
		if err == nil {
			return answer, nil
		}
		select {
		case <-time.After(n.core.cfg.Tick):
		case <-n.done:
			return transport.LeaseAnswer{}, apiError(ErrStopped)
		case <-ctx.Done():
			return transport.LeaseAnswer{}, apiError(ctx.Err())
		}
	}
}

// tryLease sends a request to the present leader. After an error the request may be repeated.
func (n *Node) tryLease(ctx context.Context, r transport.LeaseRequest) (transport.LeaseAnswer, error) {
	if !n.state.leads() {
		return n.leaseForwarder.ask(ctx, r)
	}
	answers, err := n.answerLeases(ctx, []transport.LeaseRequest{r})
	if err != nil {
		return transport.LeaseAnswer{}, err
	}
	return answers[0], checkLeaseAnswer(answers[0])
}

func checkLeaseAnswer(a transport.LeaseAnswer) error {
	if a.Revoking {
		return errLeaseRevoking
	}
	return nil
}

// answerLeases answers requests about leases, of this member's callers and of other members. It returns an error if this member
// does not lead.
//
// The barrier has two purposes. It proves that this member has led after the requests arrived: a leader that was replaced before
// must not renew leases. If it is replaced afterwards, the next leader begins later with the full time to live. And the tree, and
// with it the table, have all leases that were granted before the requests arrived.
func (n *Node) answerLeases(ctx context.Context, requests []transport.LeaseRequest) ([]transport.LeaseAnswer, error) {
	if !n.state.leads() {
		return nil, errNotLeader
	}
	if err := n.Barrier(ctx); err != nil {
		return nil, err
	}
	answers, ok := n.leaseTable.answer(requests)
	if !ok {
		return nil, errNotLeader
	}
	return answers, nil
}
