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
func (l *loop) handle(rd etcdraft.Ready) {
	if !etcdraft.IsEmptyHardState(rd.HardState) {
		l.term.Store(rd.HardState.GetTerm())
		l.committed.Store(rd.HardState.GetCommit())
	}
	if rd.SoftState != nil {
		l.leaderIs(rd.SoftState.Lead)
	}
	var toAppend, toApply *raftpb.Message
	toPeers := l.toPeers[:0]
	for _, m := range rd.Messages {
		switch m.GetTo() {
		case etcdraft.LocalAppendThread:
			toAppend = m
			l.lastIndex = lastIndex(m, l.lastIndex)
			l.learnFounding(m.GetEntries())
		case etcdraft.LocalApplyThread:
			toApply = m
		default:
			toPeers = append(toPeers, m)
		}
	}
	l.transmit(toPeers)
	clear(toPeers)
	l.toPeers = toPeers[:0]
	if toAppend != nil {
		l.append(toAppend, toApply)
	}
	for _, s := range rd.ReadStates {
		l.reads.confirmed(s.RequestCtx, s.Index)
	}
	if toApply != nil && l.failed == nil {
		l.apply(toApply)
	}
	l.reads.release(l.appliedIndex)
	l.serveIfCaughtUp()
}

// append has the disk take what raft wants kept. For a lone write whoever has the
// turn does it, and spares two hand-overs; the followers, if there are any, have
// their messages already. With a batch to apply besides, or the answers of followers
// to serve under load, the writer does it meanwhile. So it does with an entry whose sync
// could outlast an election timeout: heartbeats must go on.
func (l *loop) append(m, toApply *raftpb.Message) {
	if m.Snapshot != nil {
		l.takeSnapshot(m)
		return
	}
	beside := toApply != nil || !l.alone() && (l.leads() && l.crowded.Load() || entriesSize(m.GetEntries()) > batchBytes)
	if l.writer.busy() || len(m.GetEntries()) > 0 && beside {
		for l.writer.full() {
			l.landed(<-l.writer.done)
		}
		l.writer.hand(m)
		return
	}
	l.appended(l.writer.write(group{m}))
}

// takeSnapshot installs a snapshot, when the disk has nothing else to do.
func (l *loop) takeSnapshot(m *raftpb.Message) {
	l.awaitAppends()
	if err := l.install(m); err != nil {
		l.fail(err)
		return
	}
	l.appended(l.writer.write(group{m}))
	l.serveIfCaughtUp()
}

// awaitAppends waits until nothing is on its way to the disk.
func (l *loop) awaitAppends() {
	for l.writer.busy() {
		l.landed(<-l.writer.done)
	}
}

// landed takes what the writer has done.
func (l *loop) landed(w written) {
	l.writer.underway -= w.count
	l.writer.bytes -= w.bytes
	l.appended(w)
}

// appended passes on what waited for an append.
func (l *loop) appended(w written) {
	if w.err != nil {
		l.fail(fmt.Errorf("raft: append to the log: %w", w.err))
		return
	}
	l.step(w.responses)
}

// step hands the messages of the local storage back to raft.
func (l *loop) step(responses []*raftpb.Message) {
	for i, m := range responses {
		if m.GetTo() != uint64(l.id) {
			l.transmit(responses[i : i+1])
			continue
		}
		// A leader that has just applied its own removal no longer counts its own
		// answers.
		if err := l.raw.Step(m); err != nil && !errors.Is(err, etcdraft.ErrStepPeerNotFound) {
			l.fail(fmt.Errorf("raft: %w", err))
		}
	}
}

// leaderIs notes a change of the leader.
func (l *loop) leaderIs(lead uint64) {
	if l.leader.Swap(lead) == lead {
		return
	}
	l.blocking = 0 // what was forwarded to the old leader may be lost
	clear(l.latency)
	l.observer.LeaderChanged(members.ID(lead))
	l.serveIfCaughtUp()
	l.leaderChanged(lead)
	if lead == 0 {
		return
	}
	l.found()
	l.offerHeld(time.Now())
	l.askReadIndexAgain()
}
