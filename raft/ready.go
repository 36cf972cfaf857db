package raft

import (
	"errors"
	"fmt"
	"time"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// handle does what raft asks for. What the disk must do goes first, so that it
// works while the committed entries are applied.
func (c *core) handle(rd etcdraft.Ready) {
	if !etcdraft.IsEmptyHardState(rd.HardState) {
		c.term.Store(rd.HardState.GetTerm())
		c.committed.Store(rd.HardState.GetCommit())
	}
	if rd.SoftState != nil {
		c.leaderIs(rd.SoftState.Lead)
	}
	var toAppend, toApply *raftpb.Message
	toPeers := c.toPeers[:0]
	for _, m := range rd.Messages {
		switch m.GetTo() {
		case etcdraft.LocalAppendThread:
			toAppend = m
			c.lastIndex = lastIndex(m, c.lastIndex)
			c.learnFounding(m.GetEntries())
		case etcdraft.LocalApplyThread:
			toApply = m
		default:
			toPeers = append(toPeers, m)
		}
	}
	c.transmit(toPeers)
	clear(toPeers)
	c.toPeers = toPeers[:0]
	if toAppend != nil {
		c.append(toAppend, toApply)
	}
	for _, s := range rd.ReadStates {
		c.reads.confirmed(s.RequestCtx, s.Index)
	}
	if toApply != nil && c.failed == nil {
		c.apply(toApply)
	}
	c.reads.release(c.appliedIndex)
	c.serveIfCaughtUp()
}

// append has the disk take what raft wants kept. For a lone write whoever has the
// turn does it, and spares two hand-overs; the followers, if there are any, have
// their messages already. With a batch to apply besides, or the answers of followers
// to serve under load, the writer does it meanwhile. So it does with an entry whose sync
// could outlast an election timeout: heartbeats must go on.
func (c *core) append(m, toApply *raftpb.Message) {
	if m.Snapshot != nil {
		c.takeSnapshot(m)
		return
	}
	beside := toApply != nil || !c.alone() && (c.leads() && c.underLoad.Load() || entriesSize(m.GetEntries()) > batchBytes)
	if c.writer.busy() || len(m.GetEntries()) > 0 && beside {
		for c.writer.full() {
			c.appendDone(<-c.writer.done)
		}
		c.writer.hand(m)
		return
	}
	c.appendFinished(c.writer.write(group{m}))
}

// takeSnapshot installs a snapshot, when the disk has nothing else to do.
func (c *core) takeSnapshot(m *raftpb.Message) {
	c.awaitAppends()
	if err := c.install(m); err != nil {
		c.fail(err)
		return
	}
	c.appendFinished(c.writer.write(group{m}))
	c.serveIfCaughtUp()
}

// awaitAppends waits until nothing is on its way to the disk.
func (c *core) awaitAppends() {
	for c.writer.busy() {
		c.appendDone(<-c.writer.done)
	}
}

// landed takes what the writer has done.
func (c *core) appendDone(w written) {
	c.writer.underway -= w.count
	c.writer.bytes -= w.bytes
	c.appendFinished(w)
}

// appended passes on what waited for an append.
func (c *core) appendFinished(w written) {
	if w.err != nil {
		c.fail(fmt.Errorf("raft: append to the log: %w", w.err))
		return
	}
	c.step(w.responses)
}

// step hands the messages of the local storage back to raft.
func (c *core) step(responses []*raftpb.Message) {
	for i, m := range responses {
		if m.GetTo() != uint64(c.id) {
			c.transmit(responses[i : i+1])
			continue
		}
		// A leader that has just applied its own removal no longer counts its own
		// answers.
		if err := c.raw.Step(m); err != nil && !errors.Is(err, etcdraft.ErrStepPeerNotFound) {
			c.fail(fmt.Errorf("raft: %w", err))
		}
	}
}

// leaderIs notes a change of the leader.
func (c *core) leaderIs(lead uint64) {
	if c.leader.Swap(lead) == lead {
		return
	}
	c.blocking = 0 // what was forwarded to the old leader may be lost
	clear(c.latency)
	emit1(c.observer.LeaderChanged, members.ID(lead))
	c.serveIfCaughtUp()
	c.leaderChanged(lead)
	if lead == 0 {
		return
	}
	c.found()
	c.retryDeferred(time.Now())
	c.askReadIndexAgain()
}
