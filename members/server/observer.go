package server

import (
	"time"

	"pando/members"
	"pando/members/config"
	"pando/raft"
	"pando/stats"
	"pando/storage"
)

// observer passes the events of the replica to the statistics.
type observer struct {
	self    members.ID
	metrics *stats.Metrics
	server  *stats.Server
	leader  *stats.Leader
}

// hooks returns the functions that the replica calls at its events.
func (o *observer) hooks() raft.Observer {
	return raft.Observer{
		ProposalStarted:  o.metrics.ProposalStarted,
		ProposalDone:     o.metrics.ProposalDone,
		ProposalFailed:   o.metrics.ProposalFailed,
		BatchApplied:     o.metrics.Batch,
		LeaderChanged:    o.leaderChanged,
		MembersChanged:   o.membersChanged,
		AppendSent:       o.server.SendAppend,
		AppendReceived:   o.server.RecvAppend,
		MessageRefused:   func(members.ID) { o.metrics.PeerMessageRefused() },
		FollowerAnswered: o.followerAnswered,
		FollowerFailed:   func(id members.ID) { o.leader.Fail(uint64(id)) },
		CheckpointDone:   o.checkpointDone,
		CheckpointFailed: o.metrics.CheckpointFailed,
		LeaseRenewed:     o.metrics.LeaseRenewed,
		LeasesExpired:    o.metrics.LeasesExpired,
		HistoryCompacted: o.metrics.HistoryCompacted,
		AuditHashed:      o.metrics.ConsistencyHashed,
		Audited:          o.audited,
	}
}

func (o *observer) leaderChanged(leader members.ID) {
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

func (o *observer) followerAnswered(id members.ID, took time.Duration) {
	o.leader.Success(uint64(id), took)
}

func (o *observer) membersChanged(list []members.Member) {
	ids := make([]uint64, len(list))
	for i, m := range list {
		ids[i] = uint64(m.ID)
	}
	o.leader.Retain(ids)
}

func (o *observer) checkpointDone(s storage.CheckpointStats) {
	o.metrics.Checkpoint(s.Duration, uint64(s.RecordBytes), uint64(s.Nodes+s.Removed))
}

func (o *observer) audited(r raft.AuditReport) {
	o.metrics.ConsistencyChecked(r.Members, len(r.Missing), r.Index, len(r.Differences))
}

// gauges returns the functions that read the current values for a scrape of the metrics.
func (m *member) gauges(cfg *config.Config) stats.Gauges {
	node, tree := m.node, m.node.Tree()
	return stats.Gauges{
		Watchers:      func() uint64 { return uint64(tree.Watchers()) },
		HistoryOldest: func() uint64 { return tree.View().OldestEvent() },
		HistoryNewest: func() uint64 { return tree.View().Index() },
		HistoryUse: func() stats.HistoryUse {
			return stats.HistoryUse(tree.HistoryUse())
		},
		HistoryBytes:    func() uint64 { return uint64(tree.View().HistoryBytes()) },
		HistoryLimit:    func() uint64 { return uint64(cfg.HistoryBytes) },
		CompactRevision: func() uint64 { return tree.View().CompactRevision() },

		TreeNodes:     func() uint64 { return uint64(tree.View().Nodes()) },
		TreeBytes:     func() uint64 { return uint64(tree.View().Bytes()) },
		Leases:        func() uint64 { return uint64(tree.View().LeaseCount()) },
		QuotaBytes:    func() uint64 { return uint64(cfg.QuotaBytes) },
		RaftApplied:   func() uint64 { return node.Status().Applied },
		RaftCommitted: node.Index,
		RaftTerm:      node.Term,
		RaftLogBytes:  func() uint64 { return uint64(node.LogBytes()) },
		FeatureLevel:  node.FeatureLevel,
		ProgramLevel:  func() uint64 { return storage.FeatureLevel },
		IsLeader:      func() bool { return node.Leader() == m.observer.self },
		HasLeader:     func() bool { return node.Leader() != 0 },

		PlaintextStreams:  func() uint64 { return uint64(node.PlaintextStreams()) },
		CheckpointFailing: func() bool { _, err := node.CheckpointFailing(); return err != nil },
	}
}
