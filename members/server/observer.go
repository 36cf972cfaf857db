package server

import (
	"time"

	"pando/members"
	"pando/raft"
	"pando/stats"
	"pando/storage"
)

// observer passes on to the statistics what the replica does.
type observer struct {
	self    members.ID
	metrics *stats.Metrics
	server  *stats.Server
	leader  *stats.Leader
}

func (o *observer) BatchApplied(commands int) { o.metrics.Batch(commands) }
func (o *observer) ProposalStarted()          { o.metrics.ProposalStarted() }
func (o *observer) ProposalDone()             { o.metrics.ProposalDone() }
func (o *observer) ProposalFailed()           { o.metrics.ProposalFailed() }

func (o *observer) LeaderChanged(leader members.ID) {
	switch leader {
	case 0:
		o.server.LoseLeader()
		return
	case o.self:
		o.server.BecomeLeader()
	default:
		o.server.Follow(uint64(leader))
	}
	o.metrics.LeaderChanged()
}

func (o *observer) AppendSent(bytes int)     { o.server.SendAppend(bytes) }
func (o *observer) AppendReceived(bytes int) { o.server.RecvAppend(bytes) }

func (o *observer) FollowerAnswered(id members.ID, took time.Duration) {
	o.leader.Success(uint64(id), took)
}

func (o *observer) FollowerFailed(id members.ID) { o.leader.Fail(uint64(id)) }

func (o *observer) MembersChanged(list []members.Member) {
	ids := make([]uint64, len(list))
	for i, m := range list {
		ids[i] = uint64(m.ID)
	}
	o.leader.Retain(ids)
}

func (o *observer) MessageRefused(members.ID) { o.metrics.PeerMessageRefused() }

func (o *observer) CheckpointDone(s storage.CheckpointStats) {
	o.metrics.Checkpoint(s.Duration, uint64(s.Bytes), uint64(s.Nodes+s.Removed))
}

func (o *observer) CheckpointFailed() { o.metrics.CheckpointFailed() }

func (o *observer) AuditHashed(took time.Duration) { o.metrics.ConsistencyHashed(took) }

func (o *observer) Audited(r raft.AuditReport) {
	o.metrics.ConsistencyChecked(r.Members, len(r.Missing), r.Index, len(r.Differences))
}

// gauges are the numbers that are read when somebody asks for the metrics.
func (m *member) gauges() stats.Gauges {
	node, tree := m.node, m.node.Tree()
	return stats.Gauges{
		Watchers:      func() uint64 { return uint64(tree.Watchers()) },
		HistoryOldest: func() uint64 { return tree.View().OldestEvent() },
		HistoryNewest: func() uint64 { return tree.View().Index() },
		TreeNodes:     func() uint64 { return uint64(tree.View().Nodes()) },
		TreeBytes:     func() uint64 { return uint64(tree.View().Bytes()) },
		RaftApplied:   func() uint64 { return node.Status().Applied },
		RaftCommitted: node.Index,
		RaftTerm:      node.Term,
		RaftLogBytes:  func() uint64 { return uint64(node.LogBytes()) },
		IsLeader:      func() bool { return node.Leader() == m.observer.self },
		HasLeader:     func() bool { return node.Leader() != 0 },

		CheckpointFailing: func() bool { _, err := node.CheckpointFailing(); return err != nil },
	}
}
