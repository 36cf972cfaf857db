package raft

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"pando/members"
	"pando/raft/pace"
)

// leaderLog logs elections, and the members that are missing for one. It repeats lines at growing intervals.
type leaderLog struct {
	state        *logState
	raft         interface{ term() uint64 }
	registry     *members.Registry
	lastReceived func(members.ID) time.Time
	elections    *elections
	log          *zap.Logger
	wait         time.Duration // without a leader, until the first report
	tick         func() time.Time

	since      time.Time // when the last leader was lost
	leader     uint64    // the last one that was logged, in term
	term       uint64
	losses     pace.Pace // of lines about a lost leader
	reportPace pace.Pace
	nextReport *deadline
}

// reportElections is the number of election timeouts without a leader after which the reason is logged.
const reportElections = 3

func newLeaderLog(c *core, d *deadlines) *leaderLog {
	x := &leaderLog{
		state: c.state, raft: c.raw, registry: c.registry, lastReceived: c.transport.LastReceived, elections: c.elections, log: c.log,
		wait: reportElections * c.cfg.electionTimeout(), tick: func() time.Time { return d.inTicks(1) }, since: time.Now(),
	}
	x.nextReport = d.add(x.report)
	x.nextReport.set(x.since.Add(x.wait))
	return x
}

// leaderChanged logs a new leader, or its loss. A leader that loses its streams and is back in the same term, again and
// again, is logged at growing intervals.
func (x *leaderLog) leaderChanged() {
	if !x.state.hasLeader() {
		x.since = time.Now()
		x.nextReport.set(x.since.Add(x.wait))
		if x.losses.Due(x.since) {
			x.log.Warn("no leader: writes wait for an election")
		}
		return
	}
	x.nextReport.cancel()
	x.reportPace.Reset()
	leader, term := x.state.leader.Load(), x.raft.term()
	if leader == x.leader && term == x.term {
		return
	}
	x.leader, x.term = leader, term
	x.losses.Reset()
	x.elections.logPace.Reset()
	x.log.Info("leader elected", zap.Stringer("leader", members.ID(leader)), zap.Uint64("term", term))
}

// report logs which members this one waits for.
func (x *leaderLog) report(now time.Time) {
	x.nextReport.set(x.tick())
	if !x.reportPace.Due(now) {
		return
	}
	voters := x.state.confState.GetVoters()
	var missing []members.ID
	for _, id := range voters {
		if id != uint64(x.state.id) && x.lastReceived(members.ID(id)).IsZero() {
			missing = append(missing, members.ID(id))
		}
	}
	connected := len(voters) - len(missing)
	since := zap.Duration("since", now.Sub(x.since).Round(time.Second))
	fields := []zap.Field{zap.Strings("missing", describeMembers(x.registry, missing)), since}
	switch quorum := len(voters)/2 + 1; {
	case len(voters) == 0:
		x.log.Warn("waiting for the leader of the cluster that this member joins: nothing has come from it yet", since)
	case connected < quorum:
		x.log.Warn(fmt.Sprintf("waiting for a majority of the members: %d of %d are here, %d are needed",
			connected, len(voters), quorum), fields...)
	default:
		x.log.Warn(fmt.Sprintf("no leader, although %d of %d members are here: elections fail", connected, len(voters)), fields...)
	}
}

// describeMember names a member in a line of the log.
func describeMember(r *members.Registry, id members.ID) string {
	m, known := r.Get(id)
	if !known {
		return id.String()
	}
	name := m.Name
	if name == "" {
		name = id.String()
	}
	return fmt.Sprintf("%s %v", name, m.PeerURLs)
}

func describeMembers(r *members.Registry, ids []members.ID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = describeMember(r, id)
	}
	return texts
}
