package raft

import (
	"time"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"

	"pando/members"
)

// leaderTransfer stops a member. A leader first transfers the leadership, so that the cluster is never without a leader.
// During the transfer raft takes no proposals. New proposals are deferred, and go to the new leader.
type leaderTransfer struct {
	state        *logState
	raft         transferer
	proposer     *proposer
	lastReceived func(members.ID) time.Time
	finish       func()        // ends the core
	maxWait      time.Duration // of a transfer

	timeout *deadline // set while a transfer is in progress
}

// transferer is the part of the raft library that a leaderTransfer uses.
type transferer interface {
	TransferLeader(to uint64)
	transferee() uint64
	WithProgress(visit func(id uint64, kind etcdraft.ProgressType, p tracker.Progress))
}

// maxTransfer bounds the time for which a leader that stops waits for its successor. It does not depend on the election
// timeout, because a supervisor kills a process that takes long to stop.
const maxTransfer = 2 * time.Second

func newLeaderTransfer(c *core, d *deadlines) *leaderTransfer {
	t := &leaderTransfer{
		state: c.state, raft: c.raw, proposer: c.proposer, lastReceived: c.transport.LastReceived, finish: c.finish,
		maxWait: min(c.cfg.electionTimeout(), maxTransfer),
	}
	t.timeout = d.add(func(time.Time) { t.finish() })
	return t
}

// begin stops this member: after a transfer if it leads and another member can succeed it, otherwise at once.
func (t *leaderTransfer) begin() {
	to := t.transferee()
	if to == 0 {
		t.finish()
		return
	}
	t.proposer.proposeCoalesced() // raft would not take it later
	t.raft.TransferLeader(to)
	t.timeout.set(time.Now().Add(t.maxWait))
}

// transferee is the voter with the longest log that can succeed this leader; zero if there is none. It must have a stream to
// this member: raft counts an ended member as active until an election timeout has passed.
func (t *leaderTransfer) transferee() uint64 {
	to, match := uint64(0), uint64(0)
	if !t.state.leads() {
		return 0
	}
	t.raft.WithProgress(func(id uint64, kind etcdraft.ProgressType, p tracker.Progress) {
		if id != uint64(t.state.id) && kind == etcdraft.ProgressTypePeer && p.RecentActive && p.Match > match &&
			!t.lastReceived(members.ID(id)).IsZero() {
			to, match = id, p.Match
		}
	})
	return to
}

// streamClosed looks for another transferee when the present one has closed its stream.
func (t *leaderTransfer) streamClosed(id members.ID) {
	if !t.timeout.isSet() || !t.state.leads() || t.raft.transferee() != uint64(id) || !t.lastReceived(id).IsZero() {
		return
	}
	if to := t.transferee(); to != 0 {
		t.raft.TransferLeader(to)
		return
	}
	t.finish()
}

// leaderChanged ends the transfer at the next tick when another member leads. Until then the deferred proposals reach it.
func (t *leaderTransfer) leaderChanged() {
	if t.timeout.isSet() && t.state.hasLeader() && !t.state.leads() {
		t.timeout.set(time.Now())
	}
}
