package raft

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"pando/members"
	"pando/raft/pace"
)

// leaderless is the loop's account of what the log is told of leaders.
type leaderless struct {
	since    time.Time // when the last leader went; zero while there is one
	told     pace.Pace // that there is none, for long
	last     uint64    // the leader that was told of last, in term
	term     uint64
	flickers pace.Pace // that it is gone, and soon back in the same term
	gone     pace.Pace // that its stream has ended
}

// leaderChanged tells of a new leader, or that there is none. One that loses its
// streams and is back at once, again and again, is told of more and more rarely.
func (c *core) leaderChanged(lead uint64) {
	x := &c.leaderless
	if lead == 0 {
		x.since = time.Now()
		if x.flickers.Due(x.since) {
			c.log.Warn("no leader: writes wait for an election")
		}
		return
	}
	x.since = time.Time{}
	x.told.Reset()
	term := c.raw.BasicStatus().GetTerm()
	if lead == x.last && term == x.term {
		return // it was never gone
	}
	x.last, x.term = lead, term
	x.flickers.Reset()
	x.gone.Reset()
	c.log.Info("leader elected", zap.Stringer("leader", members.ID(lead)), zap.Uint64("term", term))
}

// leaderlessElections is how many election timeouts may pass before it is told that
// there is no leader, and why.
const leaderlessElections = 3

// tellLeaderless says whom this member waits for, at growing intervals.
func (c *core) logLeaderless(now time.Time) {
	x := &c.leaderless
	patience := leaderlessElections * time.Duration(c.cfg.ElectionTicks) * c.cfg.Tick
	if x.since.IsZero() || now.Sub(x.since) < patience || !x.told.Due(now) {
		return
	}
	voters := c.confState.GetVoters()
	var missing []members.ID
	for _, id := range voters {
		if id != uint64(c.id) && c.transport.LastReceived(members.ID(id)).IsZero() {
			missing = append(missing, members.ID(id))
		}
	}
	here := len(voters) - len(missing)
	fields := []zap.Field{zap.Strings("missing", c.describeMembers(missing)), zap.Duration("since", now.Sub(x.since).Round(time.Second))}
	switch quorum := len(voters)/2 + 1; {
	case len(voters) == 0:
		c.log.Warn("waiting for the leader of the cluster that this member joins: nothing has come from it yet", fields[1])
	case here < quorum:
		c.log.Warn(fmt.Sprintf("waiting for a majority of the members: %d of %d are here, %d are needed", here, len(voters), quorum), fields...)
	default:
		c.log.Warn(fmt.Sprintf("no leader, although %d of %d members are here: elections fail", here, len(voters)), fields...)
	}
}

// describeMember names a member for people.
func (c *core) describeMember(id members.ID) string {
	m, known := c.registry.Get(id)
	if !known {
		return id.String()
	}
	name := m.Name
	if name == "" {
		name = id.String()
	}
	return fmt.Sprintf("%s %v", name, m.PeerURLs)
}

func (c *core) describeMembers(ids []members.ID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = c.describeMember(id)
	}
	return texts
}
