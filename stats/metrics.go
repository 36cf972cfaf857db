package stats

import (
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the metrics of a member at /metrics: its own under pando_*, those of the Go runtime and the process, and the most
// used etcd_* names with their meaning in etcd, for dashboards that were made for etcd.
//
// It has a Prometheus registry of its own: two members in one process have separate metrics, and metrics that libraries register
// in the default registry are left out.
type Metrics struct {
	registry *prometheus.Registry
	requests requests

	walFsync     prometheus.Histogram
	etcdWALFsync prometheus.Histogram

	checkpoint      prometheus.Histogram
	checkpointBytes prometheus.Counter
	checkpointNodes prometheus.Counter
	checkpointFails prometheus.Counter

	batchSize prometheus.Histogram

	consistency consistency
	inflight    inflight
	refusals    refusals
	leases      leases

	// Each of these has two metrics, a pando_* and an etcd_* one, which read it by callbacks.
	proposalsPending atomic.Int64
	proposalsFailed  atomic.Uint64
	leaderChanges    atomic.Uint64
	compactions      atomic.Uint64

	peerMessagesRefused atomic.Uint64
}

// Build identifies the program.
type Build struct {
	// Version is the program's own version.
	Version string
	// APIVersion is the version of etcd whose API it speaks.
	APIVersion string
}

// NewMetrics returns the metrics of a member, all of them zero. Register adds those that are read at each scrape.
func NewMetrics(build Build) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		constant("pando_build_info", "Always 1; the labels say which build is running.",
			prometheus.Labels{"version": build.Version, "go": runtime.Version()}),
		constant("etcd_server_version", "Always 1; the label says which version of etcd's API is spoken.",
			prometheus.Labels{"server_version": build.APIVersion}),
	)
	m.requests.init(m.registry)
	m.initDisk()
	m.initProposals()
	m.initInflight()
	m.refusals.init(m.registry)
	m.leases.init(m.registry)
	m.consistency.init(m.registry)
	return m
}

func constant(name, help string, labels prometheus.Labels) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels})
	g.Set(1)
	return g
}

func (m *Metrics) initDisk() {
	m.walFsync = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "pando_wal_fsync_duration_seconds",
		Help:    "Time to append a batch to the write-ahead log and make it durable.",
		Buckets: []float64{25e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 0.1, 0.2, 0.5, 1, 2},
	})
	m.etcdWALFsync = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "etcd_disk_wal_fsync_duration_seconds",
		Help:    "pando_wal_fsync_duration_seconds in the buckets of etcd.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
	})
	m.checkpoint = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "pando_checkpoint_duration_seconds",
		Help:    "Time to write a checkpoint.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
	})
	m.checkpointBytes = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "pando_checkpoint_written_bytes_total",
		Help: "Bytes that checkpoints wrote.",
	})
	m.checkpointNodes = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "pando_checkpoint_written_nodes_total",
		Help: "Nodes of the tree that checkpoints wrote or deleted.",
	})
	m.checkpointFails = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "pando_checkpoint_failures_total",
		Help: "Checkpoints that could not be written. Until one is written, the log is kept and grows.",
	})
	m.registry.MustRegister(m.walFsync, m.etcdWALFsync, m.checkpoint, m.checkpointBytes, m.checkpointNodes, m.checkpointFails)
}

func (m *Metrics) initProposals() {
	m.batchSize = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "pando_proposal_batch_commands",
		Help:    "Commands in one log entry.",
		Buckets: prometheus.ExponentialBuckets(1, 2, 11),
	})
	pending := func() float64 { return float64(m.proposalsPending.Load()) }
	failed := func() float64 { return float64(m.proposalsFailed.Load()) }
	changes := func() float64 { return float64(m.leaderChanges.Load()) }
	m.registry.MustRegister(
		m.batchSize,
		gauge("pando_proposals_pending", "Proposals that wait for their commit.", pending),
		gauge("etcd_server_proposals_pending", "The same as pando_proposals_pending.", pending),
		counter("pando_proposals_failed_total", "Proposals that were not committed in time or at all.", failed),
		counter("etcd_server_proposals_failed_total", "The same as pando_proposals_failed_total.", failed),
		counter("pando_leader_changes_total", "Changes of the leader that this member noticed.", changes),
		counter("pando_peer_messages_refused_total",
			"Messages on streams of peers that no member of the cluster could have sent; above 0 is an alarm.",
			func() float64 { return float64(m.peerMessagesRefused.Load()) }),
		counter("etcd_server_leader_changes_seen_total", "The same as pando_leader_changes_total.", changes),
		counter("pando_history_compactions_total", "Compactions of the history of the v3 API that this member has applied.",
			func() float64 { return float64(m.compactions.Load()) }),
	)
}

func gauge(name, help string, read func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read)
}

func counter(name, help string, read func() float64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read)
}

// Observe counts a client request that has ended, and how long it took. Unknown values count as OpOther and Internal.
func (m *Metrics) Observe(op Op, outcome Outcome, took time.Duration) {
	m.requests.observe(op, outcome, took)
}

// WALFsync counts an append to the write-ahead log that is durable, and how long it took.
func (m *Metrics) WALFsync(took time.Duration) {
	s := took.Seconds()
	m.walFsync.Observe(s)
	m.etcdWALFsync.Observe(s)
}

// Checkpoint counts a checkpoint that was written: how long it took, the bytes written, and the nodes written or deleted.
func (m *Metrics) Checkpoint(took time.Duration, bytes, nodes uint64) {
	m.checkpoint.Observe(took.Seconds())
	m.checkpointBytes.Add(float64(bytes))
	m.checkpointNodes.Add(float64(nodes))
}

// CheckpointFailed counts a checkpoint that could not be written.
func (m *Metrics) CheckpointFailed() { m.checkpointFails.Inc() }

// ProposalStarted counts a proposal that begins to wait for its commit. Exactly one of ProposalDone and ProposalFailed must
// follow.
func (m *Metrics) ProposalStarted() { m.proposalsPending.Add(1) }

// ProposalDone counts a proposal that was committed.
func (m *Metrics) ProposalDone() { m.proposalsPending.Add(-1) }

// ProposalFailed counts a proposal whose caller got an error.
func (m *Metrics) ProposalFailed() {
	m.proposalsPending.Add(-1)
	m.proposalsFailed.Add(1)
}

// Batch records the number of commands in a log entry.
func (m *Metrics) Batch(commands int) { m.batchSize.Observe(float64(commands)) }

// LeaderChanged counts a change of the leader that this member noticed.
func (m *Metrics) LeaderChanged() { m.leaderChanges.Add(1) }

// HistoryCompacted counts a compaction of the history of the v3 API.
func (m *Metrics) HistoryCompacted() { m.compactions.Add(1) }

// PeerMessageRefused counts a message that the member at the other end of its stream can't have sent.
func (m *Metrics) PeerMessageRefused() { m.peerMessagesRefused.Add(1) }

// Handler serves /metrics in the format that the client accepts.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
