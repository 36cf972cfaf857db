package raft

import (
	"errors"
	"fmt"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// handle carries out a Ready of the raft library. The append comes before the apply, so that the disk works while entries
// are applied.
func (c *core) handle(rd etcdraft.Ready) {
	if !etcdraft.IsEmptyHardState(rd.HardState) {
		c.state.term.Store(rd.HardState.GetTerm())
		c.state.committed.Store(rd.HardState.GetCommit())
	}
	if rd.SoftState != nil {
		c.setLeader(rd.SoftState.Lead)
	}
	var toAppend, toApply *raftpb.Message
	toPeers := c.toPeers[:0]
	for _, m := range rd.Messages {
		switch m.GetTo() {
		case etcdraft.LocalAppendThread:
			toAppend = m
			c.state.lastIndex = lastIndex(m, c.state.lastIndex)
			c.founding.readEntries(m.GetEntries())
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
		c.reader.confirm(s.RequestCtx, s.Index)
	}
	if toApply != nil && c.failed == nil {
		c.apply(toApply)
	}
	c.leases.updateRole()
	c.reader.release()
	c.startup.update()
}

// append makes an append that raft asks for. The goroutine that has the turn appends a lone write itself, which saves two
// switches between goroutines; the messages to followers are sent before. In three cases the writer's goroutine appends, and
// the turn continues: there are entries to apply, too; followers must be served under load; or the entry is so large that its
// sync could outlast an election timeout, and heartbeats must continue.
func (c *core) append(m, toApply *raftpb.Message) {
	if m.Snapshot != nil {
		c.appendSnapshot(m)
		return
	}
	heavy := c.state.leads() && c.proposer.load.heavy.Load()
	overlap := toApply != nil || !c.state.alone() && (heavy || entriesSize(m.GetEntries()) > batchBytes)
	if c.writer.busy() || len(m.GetEntries()) > 0 && overlap {
		for c.writer.full() {
			c.appendDone(<-c.writer.done)
		}
		c.writer.submit(m)
		return
	}
	c.appendFinished(c.writer.write(appendGroup{m}))
}

// appendSnapshot installs a snapshot after all appends in flight.
func (c *core) appendSnapshot(m *raftpb.Message) {
	c.awaitAppends()
	if err := c.install(m); err != nil {
		c.fail(err)
		return
	}
	c.appendFinished(c.writer.write(appendGroup{m}))
	c.startup.update()
}

// awaitAppends waits until no append is in flight to the disk.
func (c *core) awaitAppends() {
	for c.writer.busy() {
		c.appendDone(<-c.writer.done)
	}
}

// appendDone takes a result of the writer's goroutine.
func (c *core) appendDone(a appended) {
	c.writer.release(a)
	c.appendFinished(a)
}

// appendFinished passes to raft the messages that waited for an append.
func (c *core) appendFinished(a appended) {
	if a.err != nil {
		c.fail(fmt.Errorf("raft: append to the log: %w", a.err))
		return
	}
	c.step(a.responses)
}

// step passes the responses of the local storage to raft, and sends the responses to peers.
func (c *core) step(responses []*raftpb.Message) {
	for i, m := range responses {
		if m.GetTo() != uint64(c.state.id) {
			c.transmit(responses[i : i+1])
			continue
		}
		// A leader that has just applied its own removal no longer counts its own answers.
		if err := c.raw.Step(m); err != nil && !errors.Is(err, etcdraft.ErrStepPeerNotFound) {
			c.fail(fmt.Errorf("raft: %w", err))
		}
	}
}

// setLeader records a change of the leader and notifies the parts.
func (c *core) setLeader(leader uint64) {
	if c.state.leader.Swap(leader) == leader {
		return
	}
	clear(c.latencies)
	emit1(c.observer.LeaderChanged, members.ID(leader))
	c.startup.update()
	c.leaderLog.leaderChanged()
	if leader != 0 {
		c.founding.proposeIfNew()
	}
	c.proposer.leaderChanged()
	if leader != 0 {
		c.reader.askAgain()
	}
	c.elections.leaderChanged()
	c.auditor.leaderChanged()
	c.transfer.leaderChanged()
}
