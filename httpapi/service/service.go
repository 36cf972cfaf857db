package service

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"pando/httpapi/audit"
	"pando/httpapi/auth"
	"pando/members"
	"pando/stats"
	"pando/tree"
)

// Log contains the methods of the replicated log that a Service calls. They may be called from any goroutine.
type Log interface {
	// Propose sends a command through the log. It returns the event when the command is applied on this member. After the log's
	// own timeout it returns an error, and the outcome of the command is unknown. Its errors are *tree.Error.
	Propose(ctx context.Context, c *tree.Command) (*tree.Event, error)
	// ProposeTxn is Propose for an OpTxn. It returns the result of the transaction.
	ProposeTxn(ctx context.Context, c *tree.Command) (*tree.TxnResult, error)
	// ProposeKV is Propose for a command of the v3 API. It returns the event of an OpPut, and otherwise the result.
	ProposeKV(ctx context.Context, c *tree.Command) (tree.Result, error)
	// Barrier returns when the tree of this member contains everything that was acknowledged to any client before the call.
	// Its errors are *tree.Error.
	Barrier(ctx context.Context) error
	// ReadsLocally reports whether Barrier returns at once.
	ReadsLocally() bool
	// Index returns the commit index.
	Index() uint64
	// Applied returns the index up to which the log is applied on this member.
	Applied() uint64
	// Term returns the current term.
	Term() uint64
	// Replayed reports whether the tree contains everything that this member knew to be committed before its start.
	Replayed() bool
	// Leader returns the ID of the leader, or 0 if there is none.
	Leader() members.ID
	// FeatureLevel returns the feature level of the cluster, as applied on this member. It never falls.
	FeatureLevel() uint64
}

// Cluster changes the membership. Each method returns when the change is applied on this member. Errors are those of package
// members, *tree.Error, or others with the reason why the change is not possible now.
type Cluster interface {
	AddMember(ctx context.Context, m members.Member) error
	RemoveMember(ctx context.Context, id members.ID) error
	UpdateMember(ctx context.Context, id members.ID, peerURLs []string) error
	// PromoteMember returns when the learner with the ID has a vote.
	PromoteMember(ctx context.Context, id members.ID) error
	// TransferLeader returns when the member with the ID leads.
	TransferLeader(ctx context.Context, to members.ID) error
}

// Snapshots opens files with the state of the member.
type Snapshots interface {
	// OpenSnapshot opens a file of size bytes. The file contains everything that was applied on this member before the call, and
	// perhaps later changes. The caller must close it.
	OpenSnapshot(ctx context.Context) (file io.ReadCloser, size int64, err error)
}

// Config contains the parameters of a Service. All fields must be set unless their comment says otherwise.
type Config struct {
	Log       Log
	Leases    LeaseClock
	Cluster   Cluster
	Snapshots Snapshots
	// Backend may be nil if no client calls the methods of backend.go.
	Backend Backend
	Tree    *tree.Store
	Members *members.Registry
	// Auth identifies the senders of requests.
	Auth *auth.Authenticator
	// Self is the ID of this member.
	Self members.ID
	// Stats and Leader count this member's part in the cluster, for /v2/stats.
	Stats  *stats.Server
	Leader *stats.Leader
	// Ready is closed when the tree contains everything that was committed before the start, and Members contains this
	// member's client URLs.
	Ready <-chan struct{}
	// ReadyTimeout bounds how long a request waits for Ready.
	ReadyTimeout time.Duration
	// CheckpointFailing returns the time since which checkpoints fail, and the last error. err is nil while they succeed.
	CheckpointFailing func() (since time.Time, err error)
	// DatabaseBytes returns the bytes on the disk: of the last checkpoint and of the log since. It may be nil.
	DatabaseBytes func() int64
	// QuotaBytes is the number of bytes of keys and values from which on the member refuses writes that add bytes; 0 for no limit.
	QuotaBytes int64
	// ResponseBytes is about the largest size of the response to a read of the v3 API; 0 for no limit. See tree.Store.SetResultLimit for
	// requests that change something.
	ResponseBytes int64
	// Pins bound the pinned views.
	Pins PinLimits
	// Audit receives a record of each operation. It may be nil.
	Audit audit.Recorder
	// CountForward counts the operations of ForwardChange and ForwardGet that were forwarded or refused. It may be nil.
	CountForward func(stats.ForwardOutcome)
}

// Service performs operations on one member.
type Service struct {
	cfg   Config
	reads stats.Reads

	stopped  chan struct{} // closed by Stop
	stopOnce sync.Once

	snapshotOpen  chan struct{} // has an element while a snapshot is being read
	changingUsers chan struct{} // has an element while a change of users is in flight
	readingLog    chan struct{} // has an element while readLog reads
	forwarding    atomic.Int64  // see Forwarding

	pinned pinnedViews

	failures *audit.Sampler // selects the records of failed logins
}

// New makes a Service.
func New(cfg Config) *Service {
	return &Service{
		cfg: cfg, failures: audit.NewSampler(), stopped: make(chan struct{}), changingUsers: make(chan struct{}, 1),
		readingLog: make(chan struct{}, 1), snapshotOpen: make(chan struct{}, 1),
		pinned: pinnedViews{limits: cfg.Pins, tree: cfg.Tree, now: time.Now},
	}
}

// Stop makes current and later calls of AwaitReady return an error, unless the member is ready. It may be called several times.
func (s *Service) Stop() { s.stopOnce.Do(func() { close(s.stopped) }) }

// ClusterID returns the ID of the cluster.
func (s *Service) ClusterID() members.ID { return s.cfg.Members.ClusterID() }

// Self returns the ID of this member.
func (s *Service) Self() members.ID { return s.cfg.Self }

// OldestEvent returns the index of the oldest event in the history.
func (s *Service) OldestEvent() uint64 { return s.cfg.Tree.View().OldestEvent() }

// Position returns the commit index and the term of the log.
func (s *Service) Position() (index, term uint64) { return s.cfg.Log.Index(), s.cfg.Log.Term() }
