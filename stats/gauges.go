package stats

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Gauges are the numbers that the parts of a running member know and that are
// read when somebody scrapes. The functions are called from any goroutine, also
// two at once, and should answer at once. A nil one leaves its metric out.
type Gauges struct {
	Watchers      func() uint64 // waiting right now
	HistoryOldest func() uint64 // index of the oldest event kept
	HistoryNewest func() uint64 // index of the newest event
	TreeNodes     func() uint64
	TreeBytes     func() uint64 // of keys and values
	RaftApplied   func() uint64 // log index
	RaftCommitted func() uint64 // log index
	RaftTerm      func() uint64
	RaftLogBytes  func() uint64 // in memory
	IsLeader      func() bool
	HasLeader     func() bool
	// FeatureLevel is the cluster's feature level, as applied here; ProgramLevel the highest that this program serves.
	FeatureLevel func() uint64
	ProgramLevel func() uint64
	// CheckpointFailing tells whether the last checkpoint could not be written.
	CheckpointFailing func() bool
}

// Register adds the metrics that these functions feed, under their etcd names
// too. It is called once; a second call is an error and may add part of them.
func (m *Metrics) Register(g Gauges) error {
	r := gaugeRegistrar{to: m.registry}
	r.number(g.Watchers, "pando_watchers", "Watchers that are waiting.")
	r.number(g.HistoryOldest, "pando_history_oldest_index", "Index of the oldest event in the history; a waitIndex before it is refused.")
	r.number(g.HistoryNewest, "pando_history_newest_index", "Index of the newest event in the history.")
	r.number(g.TreeNodes, "pando_tree_nodes", "Nodes in the tree, directories included.")
	r.number(g.TreeBytes, "pando_tree_bytes", "Bytes of the keys and values in the tree.")
	r.number(g.RaftApplied, "pando_raft_applied_index", "Log index of the last entry applied to the tree.")
	r.number(g.RaftApplied, "etcd_server_proposals_applied_total", "The same as pando_raft_applied_index.")
	r.number(g.RaftCommitted, "pando_raft_committed_index", "Log index of the last entry known to be committed.")
	r.number(g.RaftCommitted, "etcd_server_proposals_committed_total", "The same as pando_raft_committed_index.")
	r.number(g.RaftTerm, "pando_raft_term", "Raft term of this member.")
	r.number(g.RaftLogBytes, "pando_raft_log_bytes", "Memory that the log takes up: entries not yet applied, and those kept for members that lag behind (--catch-up-bytes).")
	r.number(g.FeatureLevel, "pando_cluster_feature_level", "Feature level of the cluster: it rises when all members run a version that serves more.")
	r.number(g.ProgramLevel, "pando_feature_level", "Highest feature level that this member's version serves.")
	r.truth(g.IsLeader, "pando_raft_is_leader", "1 if this member leads, 0 if not.")
	r.truth(g.IsLeader, "etcd_server_is_leader", "The same as pando_raft_is_leader.")
	r.truth(g.HasLeader, "pando_raft_has_leader", "1 if this member knows a leader, 0 if not.")
	r.truth(g.HasLeader, "etcd_server_has_leader", "The same as pando_raft_has_leader.")
	r.truth(g.CheckpointFailing, "pando_checkpoint_failing", "1 while the last checkpoint could not be written, 0 if it was; the log is kept meanwhile and grows.")
	return r.err
}

// gaugeRegistrar registers one gauge after the other until one fails.
type gaugeRegistrar struct {
	to  prometheus.Registerer
	err error
}

func (r *gaugeRegistrar) number(read func() uint64, name, help string) {
	if read != nil {
		r.register(name, help, func() float64 { return float64(read()) })
	}
}

func (r *gaugeRegistrar) truth(read func() bool, name, help string) {
	if read != nil {
		r.register(name, help, func() float64 {
			if read() {
				return 1
			}
			return 0
		})
	}
}

func (r *gaugeRegistrar) register(name, help string, read func() float64) {
	if r.err != nil {
		return
	}
	if err := r.to.Register(gauge(name, help, read)); err != nil {
		r.err = fmt.Errorf("stats: register the gauge %s: %w", name, err)
	}
}
