package raft

import (
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"pando/raft/transport"
)

// proposer brings commands into the log: those of this member's callers, which it collects into batches, and those that
// followers forward to this leader.
//
// A proposal is in one of these states:
//
//	           add            propose                apply
//	caller ────────► queued ──────────► in flight ───────────► applied: the caller has its result
//	                   │                │   ▲   │
//	                   │    raft takes  ▼   │   │
//	                   │    none now  deferred  │  the entry is lost, or its outcome takes too long
//	                   ▼                │       ▼
//	               timed out ◄──────────┴── timed out: the outcome is unknown to the caller
//
// From queued on, all proposals of a batch change their state together. A deferred batch is in no log, so offering it
// again cannot apply it twice. A batch that raft has taken is never proposed again.
//
// mayPropose alone decides whether another batch may be in flight. Proposals that followers forward have no caller here; while
// mayAppend refuses them they are coalesced, and then go into the log with this member's next batch, or alone.
//
// Only the goroutine that has the turn may use a proposer. Any goroutine may use the queue.
type proposer struct {
	state *logState
	raft  proposalTaker
	queue *queue
	// foundingPending reports whether commands must wait because the cluster's founding ID is not applied yet.
	foundingPending func() bool
	clock           func() time.Time // the wall clock, for the time of a batch
	maxWait         time.Duration    // from a proposal's start to its outcome
	tick            time.Duration
	inTicks         func(n int) time.Time

	number    uint64 // of the last batch; begins at random, where no earlier process of this member was
	inFlight  inFlight
	deferred  deferredProposals
	coalesced []*raftpb.Entry // forwarded by followers
	load      batchLoad
	taken     []*proposal // for the next batch; reused

	timeout *deadline // of the oldest proposal
	retry   *deadline // of the deferred proposals
}

// proposalTaker is the part of the raft library that a proposer uses.
type proposalTaker interface {
	Step(m *raftpb.Message) error
	committed() uint64
}

func newProposer(cfg *Config, state *logState, raft proposalTaker, q *queue, maxDeferred int, d *deadlines) *proposer {
	p := &proposer{
		state: state, raft: raft, queue: q, clock: cfg.Now, maxWait: cfg.Timeout, tick: cfg.Tick, inTicks: d.inTicks,
		number:   randomNumber(),
		inFlight: inFlight{batches: map[uint64]inFlightBatch{}},
		deferred: deferredProposals{maxBytes: maxDeferred},
	}
	p.timeout = d.add(p.expire)
	p.retry = d.add(p.retryDeferred)
	return p
}

// propose makes one entry of the proposals in the queue, as many as an entry may hold.
func (p *proposer) propose() {
	if !p.mayPropose() {
		if !p.timeout.isSet() && p.queue.len() > 0 {
			p.timeout.set(time.Now().Add(p.maxWait))
		}
		return
	}
	if p.load.proposed > 1 && p.state.alone() {
		// Some of the callers that were just answered are about to propose again. Letting them run makes the batch
		// larger and the syncs fewer. On a member with followers, waiting for them has the same effect.
		runtime.Gosched()
	}
	p.taken = p.queue.take(p.taken[:0])
	p.load.proposed = max(len(p.taken), p.load.proposed/2)
	if len(p.taken) == 0 {
		return
	}
	size := batchHead
	for _, each := range p.taken {
		size += len(each.data)
	}
	data := p.beginBatch(size)
	for _, each := range p.taken {
		data = append(data, each.data...)
	}
	batch := inFlightBatch{proposals: append([]*proposal(nil), p.taken...), since: p.taken[0].since}
	clear(p.taken)
	p.send(data, batch)
}

// mayPropose reports whether the next batch may be proposed. One batch of this member may be in flight at a time. A leader
// under load counts all appends instead, those with forwarded proposals included. A batch that was forwarded to the leader
// may be lost, so it blocks the next one for forwardWaitTicks only.
func (p *proposer) mayPropose() bool {
	if !p.state.hasLeader() || !p.mayAppend() {
		return false
	}
	since, blocked := p.inFlight.blockedSince()
	return p.coalesces() || !blocked || !p.state.leads() && time.Since(since) >= forwardWaitTicks*p.tick
}

// mayAppend is the part of mayPropose that applies to forwarded proposals, too. Under load, a leader has one append in flight
// to its followers. A leader appends no commands before the founding ID is applied.
func (p *proposer) mayAppend() bool {
	return !p.foundingPending() && !(p.coalesces() && p.appendInFlight())
}

// forwardWaitTicks is the number of ticks for which a forwarded batch blocks the next one.
const forwardWaitTicks = 3

// appendInFlight reports whether the log has entries that wait for a quorum. The raft library may have committed them while
// logState is older. Then the next append carries the new commit index to the followers.
func (p *proposer) appendInFlight() bool {
	return p.state.lastIndex > p.state.committed.Load() && p.state.lastIndex > p.raft.committed()
}

// beginBatch encodes the head of a batch with the next number, with room for size bytes.
func (p *proposer) beginBatch(size int) []byte {
	p.number++
	return appendBatchHead(make([]byte, 0, size), uint64(p.state.id), p.number, p.clock().UnixNano())
}

// send proposes the batch with the current number, together with the coalesced entries.
func (p *proposer) send(data []byte, batch inFlightBatch) {
	p.inFlight.add(p.number, batch)
	p.timeout.setEarliest(batch.since.Add(p.maxWait))
	if err := p.offer(p.withCoalesced(&raftpb.Entry{Data: data}), batch.since); err != nil {
		p.inFlight.complete(p.number, outcome{err: err})
	}
}

// sendOnce proposes the batch with the current number on a leader. It is not deferred: if raft does not take it now, sendOnce returns
// an error, and the batch will never be in a log. Callers must check that raft leads; otherwise raft would forward the batch.
func (p *proposer) sendOnce(data []byte) error {
	return p.raft.Step(&raftpb.Message{
		Type: raftpb.MsgProp.Enum(), From: (*uint64)(&p.state.id), Entries: []*raftpb.Entry{{Data: data}},
	})
}

// leaderChanged adapts to a new leader, or to none: a batch that was forwarded to the old one may be lost.
func (p *proposer) leaderChanged() {
	p.inFlight.unblock()
	if p.state.hasLeader() {
		p.retryDeferred(time.Now())
	}
}

// expire ends the proposals that have waited too long, in the queue or in flight.
func (p *proposer) expire(now time.Time) {
	before := now.Add(-p.maxWait)
	answerAll(p.queue.expire(before), outcome{err: errTimeout})
	oldest := p.inFlight.expire(before)
	if since := p.queue.oldest(); oldest.IsZero() || !since.IsZero() && since.Before(oldest) {
		oldest = since
	}
	if !oldest.IsZero() {
		p.timeout.set(oldest.Add(p.maxWait))
	}
}

// refuse answers the proposals in the queue, and all further ones, with an error.
func (p *proposer) refuse(err error) { answerAll(p.queue.close(err), outcome{err: err}) }

// close answers all proposals with an error.
func (p *proposer) close(err error) {
	p.refuse(err)
	p.inFlight.completeAll(outcome{err: err})
}

// batchLoad measures how many proposals come together. A larger number counts at once. A smaller number halves the measure.
type batchLoad struct {
	proposed int // proposals in one of this member's batches
	applied  int // commands in one applied batch
	// heavy means that applied is more than one. Any goroutine may read it.
	heavy atomic.Bool
}

// batchApplied counts an applied batch.
func (l *batchLoad) batchApplied(commands int) {
	l.applied = max(commands, l.applied/2)
	l.heavy.Store(l.applied > 1)
}

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

// A leader under load has one append in flight to its followers. What followers forward meanwhile, and what the leader's
// own callers propose, is coalesced into the next append: an append of any size costs every member a message, a sync and
// an answer.

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
