package raft

import (
	"context"
	"net/http"
	"time"

	"go.uber.org/zap"

	"pando/members"
	"pando/raft/transport"
	"pando/storage"
)

// Config configures a Node. A field must be set unless its comment gives the meaning of its zero value.
type Config struct {
	// Disk is open. The node appends and writes checkpoints to it. The caller closes it after Stop.
	Disk *storage.Disk
	// Recovered is what Disk held when it was opened. The caller must not use it after Start.
	Recovered *storage.Recovered
	// Bootstrap lists the members of a new cluster; nil when Recovered belongs to a running one.
	Bootstrap []members.Member
	// Registry is empty; the node fills it and keeps it up to date.
	Registry *members.Registry
	// Peers are the members of a running cluster that this member joins, until the log names them.
	Peers []members.Member
	// Contacts returns the peer URLs in this member's flags. When an unknown member opens a stream, this member asks the
	// members at these URLs, too. May be nil.
	Contacts func(ctx context.Context) []string
	// PeerClient sends the requests to peers.
	PeerClient *http.Client
	// PeerTLS checks the certificates of peers; nil if this member has no peer certificates. See RecheckCertificates.
	PeerTLS *transport.TLS
	// This member publishes Name and ClientURLs in the list of members.
	Name       string
	ClientURLs []string
	// Tick is the time between heartbeats. An election starts after ElectionTicks of them without a leader.
	Tick          time.Duration
	ElectionTicks int
	// SnapshotCount is the number of changed nodes after which a checkpoint is written.
	SnapshotCount int
	// Timeout is how long a proposal or a linearizable read may wait. It ends with a tick, so up to one Tick later.
	Timeout time.Duration
	// CatchUpBytes bounds the applied log that stays in memory for members that lag behind. Zero means 64 MiB, or more
	// where requests may be large; see LeastCatchUp.
	CatchUpBytes int64
	// AuditInterval is the time between two comparisons of the members' data; zero means none.
	AuditInterval time.Duration
	// RequestBytes is the longest request that clients may make; zero means 1.5 MiB. All bounds follow from it; see
	// LargestRequest.
	RequestBytes int64
	// WALBytes is the size of the log after which a checkpoint is written; zero means 64 MiB.
	WALBytes int64
	// HistoryBytes is the size of the history of the v3 API, as tree.View.HistoryBytes counts it, above which this member compacts the
	// history while it leads; zero means no limit.
	HistoryBytes int64
	// At most one of these two is not zero. While this member leads, it compacts the history of the v3 API again and again: to the state
	// of HistoryPeriod ago, or to the last HistoryRevisions revisions.
	HistoryPeriod    time.Duration
	HistoryRevisions uint64
	Logger           *zap.Logger
	// Observer holds optional hooks for statistics.
	Observer Observer
	// Now is the wall clock; nil means time.Now.
	Now func() time.Time

	pinnedLevel *uint64 // the feature level that this member serves, in tests; storage.FeatureLevel if nil
}

func (c *Config) ensureDefaults() {
	if c.RequestBytes == 0 {
		c.RequestBytes = 3 << 19
	}
	if c.WALBytes == 0 {
		c.WALBytes = 64 << 20
	}
	if c.CatchUpBytes == 0 {
		c.CatchUpBytes = max(DefaultCatchUp, LeastCatchUp(c.RequestBytes))
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

func (c *Config) electionTimeout() time.Duration { return time.Duration(c.ElectionTicks) * c.Tick }

// Observer holds the hooks for statistics and tests. Each hook is optional: a nil hook is not called. Hooks are called
// from any goroutine, some of them from the one that has the turn, so a hook must not block and must not call the Node.
type Observer struct {
	// ProposalStarted runs when a proposal begins to wait. Then either ProposalDone runs, when the proposal was
	// committed, or ProposalFailed.
	ProposalStarted func()
	ProposalDone    func()
	ProposalFailed  func()
	// BatchApplied runs after an entry with this number of commands was applied.
	BatchApplied func(commands int)

	// LeaderChanged receives the new leader; zero means that there is none.
	LeaderChanged func(leader members.ID)
	// MembersChanged receives all members of the cluster. The hook must not change the list.
	MembersChanged func(list []members.Member)

	// AppendSent and AppendReceived receive the encoded size of a message with log entries.
	AppendSent     func(bytes int)
	AppendReceived func(bytes int)
	// MessageRefused receives the member on whose stream an invalid message arrived.
	MessageRefused func(from members.ID)
	// FollowerAnswered runs on the leader: a follower has acknowledged an append or a heartbeat after this time.
	FollowerAnswered func(id members.ID, after time.Duration)
	// FollowerFailed runs on the leader: messages to this follower were lost.
	FollowerFailed func(id members.ID)

	// CheckpointDone receives the statistics of a successful checkpoint.
	CheckpointDone   func(stats storage.CheckpointStats)
	CheckpointFailed func()

	// LeaseRenewed runs on the member whose caller has renewed a lease. LeasesExpired runs on the leader, and receives the number
	// of leases that were removed because their time had ended.
	LeaseRenewed  func()
	LeasesExpired func(leases int)

	// HistoryCompacted runs after a compaction of the history of the v3 API was applied.
	HistoryCompacted func()

	// AuditHashed receives the time that this member took to hash its tree for an audit, pauses included.
	AuditHashed func(took time.Duration)
	// Audited receives the result of an audit.
	Audited func(report AuditReport)
}

// emit calls a hook if it is set; emit1 and emit2 do the same for hooks with arguments.
func emit(hook func()) {
	if hook != nil {
		hook()
	}
}

func emit1[T any](hook func(T), value T) {
	if hook != nil {
		hook(value)
	}
}

func emit2[A, B any](hook func(A, B), a A, b B) {
	if hook != nil {
		hook(a, b)
	}
}
