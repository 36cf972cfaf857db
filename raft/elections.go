package raft

import (
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"pando/members"
	"pando/raft/pace"
)

// elections campaigns earlier than raft would by itself.
//
// When a leader's process ends, its kernel closes its streams at once. A follower that loses the leader's stream need not
// wait for the election timeout: it forgets the leader, so that it can vote for another member and defers proposals instead
// of sending them to the ended process, and campaigns soon after. An unnecessary campaign does no harm: with PreVote, a
// leader that a quorum still hears is not deposed, and a leader whose stream broke for another reason is followed again
// from its next heartbeat on. A leader that falls silent, because of a partition or because it is suspended, leaves its
// stream open; the election timeout detects that.
type elections struct {
	state        *logState
	raft         campaigner
	lastReceived func(members.ID) time.Time
	log          *zap.Logger
	fail         func(error)
	inTicks      func(n int) time.Time
	logPace      pace.Pace // of lines about a leader whose stream ended

	campaign *deadline // set while this member is to campaign
}

// campaigner is the part of the raft library that elections uses.
type campaigner interface {
	leader() uint64
	isFollower() bool
	ForgetLeader() error
	Campaign() error
}

// campaignTicks is the number of ticks after which the first follower in order campaigns; each further one waits as long
// after the one before. It gives the leader time to reconnect and each candidate time to win: two members that campaign at
// once may split the votes, and must then wait for the election timeout.
const campaignTicks = 2

func newElections(c *core, d *deadlines) *elections {
	e := &elections{
		state: c.state, raft: c.raw, lastReceived: c.transport.LastReceived, log: c.log, fail: c.fail, inTicks: d.inTicks,
	}
	e.campaign = d.add(func(time.Time) { e.campaignIfLeaderless() })
	return e
}

// streamClosed forgets the leader if the stream that ended was the leader's and no new one has begun. The leader is that of
// the raft library: a message of a new leader may have arrived, and logState may not have it yet.
func (e *elections) streamClosed(id members.ID) {
	if id == e.state.id || uint64(id) != e.raft.leader() || !e.lastReceived(id).IsZero() {
		return
	}
	if e.logPace.Due(time.Now()) {
		e.log.Warn("the leader has closed its stream", zap.Stringer("leader", id))
	}
	if err := e.raft.ForgetLeader(); err != nil {
		e.fail(fmt.Errorf("raft: forget the leader: %w", err))
		return
	}
	if place := e.placeAfter(id); place > 0 {
		e.campaign.set(e.inTicks(place * campaignTicks))
	}
}

// placeAfter is this member's place, from 1 on, in the order of the voters that may succeed the leader; zero if it has no
// vote.
func (e *elections) placeAfter(leader members.ID) int {
	voters := slices.Sorted(slices.Values(e.state.confState.GetVoters()))
	voters = slices.DeleteFunc(voters, func(id uint64) bool { return id == uint64(leader) })
	return slices.Index(voters, uint64(e.state.id)) + 1
}

func (e *elections) campaignIfLeaderless() {
	if !e.state.hasLeader() {
		e.start()
	}
}

// campaignIfAlone makes a member that is alone campaign at once, without waiting for an election timeout.
func (e *elections) campaignIfAlone() {
	if e.state.alone() && !e.state.hasLeader() && e.raft.isFollower() {
		e.start()
	}
}

func (e *elections) start() {
	if err := e.raft.Campaign(); err != nil {
		e.fail(fmt.Errorf("raft: campaign: %w", err))
	}
}

// leaderChanged cancels the campaign when there is a leader.
func (e *elections) leaderChanged() {
	if e.state.hasLeader() {
		e.campaign.cancel()
	}
}
