package raft

import (
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// Under load a leader keeps one append on its way to the followers. What they and
// its own clients propose meanwhile gathers, and goes into the next one: each append
// costs every member a message, a sync and an answer, however much is in it.

// gathering reports whether proposals gather while an append is on its way. A lone
// write never waits for another's.
func (c *core) coalesces() bool { return c.underLoad.Load() && c.leads() && !c.alone() }

// appending reports whether the log has entries that wait for a quorum. Raft may
// know of a commit before the loop does: then the next append leaves in one go with
// the news of it.
func (c *core) appending() bool {
	return c.lastIndex > c.committed.Load() && c.lastIndex > c.raw.BasicStatus().GetCommit()
}

// gatherBytes bounds what gathers. Raft gets at once what is beyond: large entries have
// nothing to win, and the whole may have to travel to a new leader as one message.
const maxCoalesced = batchBytes

// gather takes a proposal that a follower has forwarded.
func (c *core) gather(m *raftpb.Message) {
	size := entriesSize(c.coalesced) + entriesSize(m.GetEntries())
	if size <= maxCoalesced && (c.awaitsFounding() || c.coalesces() && c.appending()) {
		c.coalesced = append(c.coalesced, m.GetEntries()...)
		return
	}
	// What gets lost here times out where it was proposed.
	_ = c.offer(m, time.Now())
}

// entryOverhead is about what an entry takes up in memory beside its data; its
// encoding adds less.
const entryOverhead = 128

func entriesSize(entries []*raftpb.Entry) int {
	size := 0
	for _, e := range entries {
		size += entrySize(e)
	}
	return size
}

func entrySize(e *raftpb.Entry) int { return len(e.GetData()) + entryOverhead }

// withGathered proposes entries of this member together with those that have
// gathered.
func (c *core) withCoalesced(own ...*raftpb.Entry) *raftpb.Message {
	entries := append(c.coalesced, own...)
	c.coalesced = nil // raft keeps the slice
	return &raftpb.Message{Type: raftpb.MsgProp.Enum(), From: (*uint64)(&c.id), Entries: entries}
}

// offerGatheredIfDue offers what has gathered and left with no proposal of this
// member. One that leads no more has no reason to gather either: what it has then
// goes to the new leader.
func (c *core) proposeCoalescedIfDue() {
	if !c.awaitsFounding() && !(c.coalesces() && c.appending()) {
		c.proposeCoalesced()
	}
}

// offerGathered offers raft what has gathered.
func (c *core) proposeCoalesced() {
	if len(c.coalesced) > 0 {
		_ = c.offer(c.withCoalesced(), time.Now())
	}
}
