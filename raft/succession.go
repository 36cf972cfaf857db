package raft

import (
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"pando/members"
)

// When a leader's process dies, its kernel ends its streams at once. A follower
// that loses the leader's need not wait out the election timeout then: it forgets
// the leader, so that it grants a vote to another and keeps new proposals instead
// of sending them to the dead, and soon it campaigns itself. A mistake costs
// little: PreVote leaves a leader alone that a quorum still hears, and one whose
// stream broke for another reason is followed again at its next heartbeat. A
// leader that falls silent, by a partition or because it stands still, leaves
// its stream open and is missed by the election timeout.

// successionTicks is how many ticks a follower waits before it campaigns; the
// next in line waits as long after it. It leaves the leader the time to call
// again and the one before in line that to win: two who campaign together may
// split the votes, and would wait for the election timeout after all.
const successionTicks = 2

// succession is the loop's part in replacing a leader that is gone.
type succession struct {
	wait int // ticks until this member campaigns; zero if it does not
}

// abandon forgets the leader, if it is the member and has not called again. Raft
// itself knows who that is: the message of a new leader may have come just before.
func (c *core) abandon(id members.ID) {
	if id == c.id || uint64(id) != c.raw.BasicStatus().Lead || !c.transport.LastReceived(id).IsZero() {
		return
	}
	if c.leaderless.gone.Due(time.Now()) {
		c.log.Warn("the leader is gone", zap.Stringer("leader", id))
	}
	if err := c.raw.ForgetLeader(); err != nil {
		c.fail(fmt.Errorf("raft: forget the leader: %w", err))
		return
	}
	if place := c.placeAfter(id); place > 0 {
		c.succession.wait = place * successionTicks
	}
}

// placeAfter is this member's place in the line of those that may follow the
// leader, from 1 on; zero if it has no vote.
func (c *core) placeAfter(leader members.ID) int {
	voters := slices.Sorted(slices.Values(c.confState.GetVoters()))
	voters = slices.DeleteFunc(voters, func(id uint64) bool { return id == uint64(leader) })
	return slices.Index(voters, uint64(c.id)) + 1
}

// succeedIfDue campaigns when it is this member's turn and nobody leads.
func (c *core) succeedIfDue() {
	s := &c.succession
	if s.wait == 0 {
		return
	}
	if c.leader.Load() != 0 {
		s.wait = 0
		return
	}
	if s.wait--; s.wait > 0 {
		return
	}
	if err := c.raw.Campaign(); err != nil {
		c.fail(fmt.Errorf("raft: campaign: %w", err))
	}
}
