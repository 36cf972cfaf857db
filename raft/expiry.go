package raft

import (
	"time"

	"pando/tree"
)

// expirer proposes the command that removes nodes whose TTL has ended. Only the leader proposes it, and has at most one
// such command in flight; nodes that one command leaves are removed by the next.
//
// Its timer runs on the monotonic clock, TTLs on the wall clock. When the wall clock is stepped, the next tick of the core
// compares again: nodes expire at most one heartbeat interval late by the new clock.
type expirer struct {
	proposer *proposer
	timer    *time.Timer
	due      int64  // when the next TTL ends, in nanoseconds since 1970; zero when no node has one
	number   uint64 // of the last batch with the command; zero before the first
}

func newExpirer(p *proposer) *expirer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &expirer{proposer: p, timer: t}
}

// set takes the time at which the next TTL ends, and wakes the core then.
func (x *expirer) set(due int64) {
	if due == x.due {
		return
	}
	x.due = due
	if due == 0 {
		x.timer.Stop()
		return
	}
	x.timer.Reset(time.Unix(0, due).Sub(x.proposer.clock()))
}

// proposeIfDue proposes the command if a TTL has ended.
func (x *expirer) proposeIfDue() {
	p := x.proposer
	if x.due == 0 || !p.state.leads() || p.foundingPending() || p.clock().UnixNano() < x.due || p.inFlight.contains(x.number) {
		return
	}
	data := tree.AppendCommand(p.beginBatch(64), &tree.Command{Op: tree.OpExpire})
	x.number = p.number
	p.send(data, inFlightBatch{since: time.Now()})
}
