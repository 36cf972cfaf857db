package raft

import (
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// A leader under load has one append in flight to its followers. What followers forward meanwhile, and what the leader's
// own callers propose, is coalesced into the next append: each append costs every member a message, a sync and an answer,
// whatever its size.

// maxCoalesced bounds the coalesced entries in bytes. What exceeds it goes to raft at once: large entries gain nothing, and
// all coalesced entries may have to travel to a new leader in one message.
const maxCoalesced = batchBytes

// coalesces reports whether proposals wait while an append is in flight. A lone write never waits for another one.
func (p *proposer) coalesces() bool {
	return p.load.heavy.Load() && p.state.leads() && !p.state.alone()
}

// forward takes a proposal that a follower has forwarded.
func (p *proposer) forward(m *raftpb.Message) {
	size := entriesSize(p.coalesced) + entriesSize(m.GetEntries())
	if size <= maxCoalesced && !p.mayAppend() {
		p.coalesced = append(p.coalesced, m.GetEntries()...)
		return
	}
	// After an error the proposal times out on the member that forwarded it.
	_ = p.offer(m, time.Now())
}

// proposeCoalescedIfDue offers the coalesced entries that no batch of this member has taken along. A member that no
// longer leads has no reason to keep them; raft forwards them to the new leader.
func (p *proposer) proposeCoalescedIfDue() {
	if p.mayAppend() {
		p.proposeCoalesced()
	}
}

func (p *proposer) proposeCoalesced() {
	if len(p.coalesced) > 0 {
		_ = p.offer(p.withCoalesced(), time.Now())
	}
}

// withCoalesced makes one message of the coalesced entries and entries of this member.
func (p *proposer) withCoalesced(own ...*raftpb.Entry) *raftpb.Message {
	entries := append(p.coalesced, own...)
	p.coalesced = nil // raft keeps the slice
	return &raftpb.Message{Type: raftpb.MsgProp.Enum(), From: (*uint64)(&p.state.id), Entries: entries}
}
