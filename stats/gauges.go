package stats

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Gauges are the metrics whose values are read at each scrape. The functions are called from any goroutine, also
// concurrently, and must not block. The metrics of a nil function are not registered.
type Gauges struct {
	Watchers      func() uint64 // open at the moment
	HistoryOldest func() uint64 // index of the oldest event kept
	HistoryNewest func() uint64 // index of the newest event
	HistoryUse    func() HistoryUse
	// HistoryBytes is the size of the history of the v3 API, HistoryLimit its limit, or 0. CompactRevision is the revision of its last
	// compaction.
	HistoryBytes, HistoryLimit, CompactRevision func() uint64

	TreeNodes     func() uint64
	TreeBytes     func() uint64 // of keys and values
	Leases        func() uint64
	QuotaBytes    func() uint64 // the TreeBytes from which on writes that add bytes are refused; 0 for no limit
	RaftApplied   func() uint64 // log index
	RaftCommitted func() uint64 // log index
	RaftTerm      func() uint64
	RaftLogBytes  func() uint64 // in memory
	IsLeader      func() bool
	HasLeader     func() bool
	// FeatureLevel is the cluster's feature level that is applied here, ProgramLevel the highest that this program serves.
	FeatureLevel func() uint64
	ProgramLevel func() uint64
	// PlaintextStreams is the number of open streams to and from peers that are not encrypted.
	PlaintextStreams func() uint64
	// CheckpointFailing reports whether the last checkpoint could not be written.
	CheckpointFailing func() bool
}

// Register registers the gauges, some of them under their etcd names, too. It must be called once: a second call returns an
// error and may register some of the metrics.
func (m *Metrics) Register(g Gauges) error {
	r := gaugeRegistrar{to: m.registry}
	r.number(g.Watchers, "pando_watchers", "Watchers that are open.")
	r.number(g.HistoryOldest, "pando_history_oldest_index", "Index of the oldest event in the history; a waitIndex before it is refused.")
	r.number(g.HistoryNewest, "pando_history_newest_index", "Index of the newest event in the history.")
	r.historyUse(g.HistoryUse)
	r.number(g.HistoryBytes, "pando_history_bytes", "Bytes of the events that are kept for the v3 API; 0 before its first use.")
	r.number(g.HistoryLimit, "pando_history_limit_bytes",
		"Value of pando_history_bytes above which the history is compacted while this member leads (--history-bytes); 0 if there is no limit.")
	r.number(g.CompactRevision, "pando_history_compact_revision", "Revision of the last compaction of the history of the v3 API.")
	r.number(g.CompactRevision, "etcd_debugging_mvcc_compact_revision", "The same as pando_history_compact_revision.")
	r.number(g.TreeNodes, "pando_tree_nodes", "Nodes in the tree, directories included.")
	r.number(g.TreeBytes, "pando_tree_bytes", "Bytes of the keys and values in the tree.")
	r.number(g.Leases, "pando_leases", "Leases of the v3 API.")
	r.number(g.QuotaBytes, "pando_quota_bytes",
		"Value of pando_tree_bytes from which on writes that add bytes are refused (--quota-bytes); 0 if there is no limit.")
	r.number(g.RaftApplied, "pando_raft_applied_index", "Log index of the last entry applied to the tree.")
	r.number(g.RaftApplied, "etcd_server_proposals_applied_total", "The same as pando_raft_applied_index.")
	r.number(g.RaftCommitted, "pando_raft_committed_index", "Log index of the last entry known to be committed.")
	r.number(g.RaftCommitted, "etcd_server_proposals_committed_total", "The same as pando_raft_committed_index.")
	r.number(g.RaftTerm, "pando_raft_term", "Raft term of this member.")
	r.number(g.RaftLogBytes, "pando_raft_log_bytes",
		"Memory of the log: entries not yet applied, and those kept for members that lag behind (--catch-up-bytes).")
	r.number(g.FeatureLevel, "pando_cluster_feature_level",
		"Feature level of the cluster. It rises when all members run a version that serves a higher one.")
	r.number(g.ProgramLevel, "pando_feature_level", "Highest feature level that this member's version serves.")
	r.number(g.PlaintextStreams, "pando_peer_plaintext_streams", "Open streams to and from other members that are not encrypted.")
	r.flag(g.IsLeader, "pando_raft_is_leader", "1 if this member leads, 0 if not.")
	r.flag(g.IsLeader, "etcd_server_is_leader", "The same as pando_raft_is_leader.")
	r.flag(g.HasLeader, "pando_raft_has_leader", "1 if this member has a leader, 0 if not.")
	r.flag(g.HasLeader, "etcd_server_has_leader", "The same as pando_raft_has_leader.")
	r.flag(g.CheckpointFailing, "pando_checkpoint_failing",
		"1 if the last checkpoint could not be written, 0 if it was. Until one is written, the log is kept and grows.")
	return r.err
}

// gaugeRegistrar registers gauges until one of them fails.
type gaugeRegistrar struct {
	to  prometheus.Registerer
	err error
}

func (r *gaugeRegistrar) number(read func() uint64, name, help string) {
	if read != nil {
		r.register(name, help, func() float64 { return float64(read()) })
	}
}

func (r *gaugeRegistrar) flag(read func() bool, name, help string) {
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
