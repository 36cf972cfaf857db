package raft

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/raft/transport"
	"pando/storage"
	"pando/tree"
)

// Config is what a node is started with. All fields without a default in their
// comment must be set.
type Config struct {
	// Disk is open; the node appends and checkpoints to it, and leaves closing
	// it to the caller, after Stop.
	Disk *storage.Disk
	// Recovered is what Disk held when it was opened.
	Recovered *storage.Recovered
	// Bootstrap lists the members of a new cluster; nil when Recovered goes on
	// with an old one.
	Bootstrap []members.Member
	// Registry is empty; the node fills it and keeps it up to date.
	Registry *members.Registry
	// Peers are the members of a running cluster that this member joins; the
	// log tells it of them later.
	Peers []members.Member
	// Contacts gives peer URLs, those of the flags, that are asked besides those of the
	// members that are known, when somebody unknown calls. May be nil.
	Contacts func(ctx context.Context) []string
	// PeerClient sends the requests to peers.
	PeerClient *http.Client
	// Name and ClientURLs are what this member tells the cluster of itself.
	Name       string
	ClientURLs []string
	// Tick is the time between heartbeats; an election starts after
	// ElectionTicks of them without a leader.
	Tick          time.Duration
	ElectionTicks int
	// SnapshotCount is how many changes of the tree bring about a checkpoint.
	SnapshotCount int
	// Timeout is how long a proposal or a linearizable read may wait; it is
	// measured in ticks, so it ends up to one later.
	Timeout time.Duration
	// CatchUpBytes bounds the applied log that stays in memory for members that lag
	// behind; if zero it is 64 MiB, or more where requests may be large. See
	// LeastCatchUp.
	CatchUpBytes int64
	// AuditInterval is the time between two comparisons of what the members hold;
	// there are none if it is zero.
	AuditInterval time.Duration
	// RequestBytes is the longest request that clients may make. What the log and the peers carry follows from it;
	// 1.5 MiB if zero. See LargestRequest.
	RequestBytes int64
	// WALBytes is how much log brings about a checkpoint; 64 MiB if zero.
	WALBytes int64
	Logger   *zap.Logger
	// Observer holds optional hooks for statistics.
	Observer Observer
	// Now is the wall clock; time.Now if nil.
	Now func() time.Time

	pinnedLevel *uint64 // the feature level that this member serves, in tests; storage.FeatureLevel if nil
}

// Node is one member's replica of the log and the tree. Its methods may be
// called from any goroutine.
type Node struct {
	id            members.ID
	disk          *storage.Disk
	tree          *tree.Store
	registry      *members.Registry
	limits        limits
	queue         *queue
	readers       *readers
	inbox         *inbox
	transport     *transport.Transport
	roster        *roster
	staging       sync.Mutex // held while a snapshot comes in
	observer      *Observer
	tick, timeout time.Duration
	now           func() time.Time
	pool          sync.Pool // of *proposal
	core          *core

	term, applied, committed, leader atomic.Uint64
	founding                         atomic.Uint64 // zero while it is not known
	level                            atomic.Uint64 // the cluster's feature level
	programLevel                     uint64        // the highest one that this program serves
	ready                            chan struct{}
	// sole says that this member leads, has applied an entry of its own term,
	// and no other has a vote.
	sole     atomic.Bool
	stop     chan struct{}
	stopOnce sync.Once
	done     chan struct{}
	err      error // why the loop ended; valid once done is closed
}

// Status is a moment of the log.
type Status struct {
	ID, Leader               members.ID // Leader is zero when there is none
	Term, Committed, Applied uint64
}

// Start brings the tree up to what the disk holds and starts the loop. The
// node serves once Ready is closed.
func Start(cfg Config) (*Node, error) {
	cfg.ensureDefaults()
	bounds := newLimits(cfg.RequestBytes, cfg.CatchUpBytes)
	n := &Node{
		id:           members.ID(cfg.Recovered.Identity.MemberID),
		tree:         cfg.Recovered.Store,
		registry:     cfg.Registry,
		limits:       bounds,
		queue:        newQueue(bounds.queue),
		readers:      newReaders(),
		inbox:        newInbox(bounds.inbox),
		disk:         cfg.Disk,
		tick:         cfg.Tick,
		timeout:      cfg.Timeout,
		observer:     &cfg.Observer,
		programLevel: cfg.programLevel(),
		now:          cfg.Now,
		ready:        make(chan struct{}),
		stop:         make(chan struct{}),
		done:         make(chan struct{}),
	}
	n.pool.New = func() any { return &proposal{done: make(chan outcome, 1)} }
	n.roster = newRoster(cfg, func() { n.inbox.post(func(c *core) { c.refreshPeers() }) })
	n.transport = n.newTransport(cfg)
	l, err := newCore(n, cfg)
	if err != nil {
		return nil, err
	}
	n.core = l
	go l.run()
	return n, nil
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

// newRawNode starts the upstream library from what the disk held.
func newRawNode(cfg Config, log *logStorage, bounds limits) (*etcdraft.RawNode, error) {
	r := cfg.Recovered
	if r.Applied > 0 {
		meta := &raftpb.SnapshotMetadata{ConfState: r.ConfState, Index: &r.Applied, Term: &r.Term}
		if err := log.ApplySnapshot(&raftpb.Snapshot{Metadata: meta}); err != nil {
			return nil, fmt.Errorf("raft: checkpoint at index %d: %w", r.Applied, err)
		}
		log.checkpointed(r.Applied, r.Term, r.ConfState)
	}
	if !etcdraft.IsEmptyHardState(r.HardState) {
		if err := log.SetHardState(r.HardState); err != nil {
			return nil, fmt.Errorf("raft: hard state: %w", err)
		}
	}
	if err := log.Append(EntriesToReplay(r)); err != nil {
		return nil, fmt.Errorf("raft: log entries: %w", err)
	}
	raw, err := etcdraft.NewRawNode(&etcdraft.Config{
		ID:                        r.Identity.MemberID,
		ElectionTick:              cfg.ElectionTicks,
		HeartbeatTick:             1,
		Storage:                   log,
		Applied:                   r.Applied,
		AsyncStorageWrites:        true,
		MaxSizePerMsg:             batchBytes,
		MaxCommittedSizePerReady:  16 << 20,
		MaxUncommittedEntriesSize: uint64(bounds.uncommitted),
		MaxInflightMsgs:           512,
		MaxInflightBytes:          uint64(bounds.inFlight),
		CheckQuorum:               true,
		PreVote:                   true,
		StepDownOnRemoval:         true,
		Logger:                    newRaftLogger(cfg.Logger),
	})
	if err != nil {
		return nil, fmt.Errorf("raft: %w", err)
	}
	if cfg.Bootstrap == nil {
		return raw, nil
	}
	peers := make([]etcdraft.Peer, len(cfg.Bootstrap))
	for i, m := range cfg.Bootstrap {
		peers[i] = etcdraft.Peer{ID: uint64(m.ID), Context: encodeMember(m)}
	}
	if err := raw.Bootstrap(peers); err != nil {
		return nil, fmt.Errorf("raft: bootstrap: %w", err)
	}
	return raw, nil
}

// behind gives the entries that go on where the checkpoint ends. Entries of an
// older term than its own were never committed: a snapshot took their place, and
// a crash came before the log went on behind it.
func EntriesToReplay(r *storage.Recovered) []*raftpb.Entry {
	if len(r.Entries) > 0 && r.Entries[0].GetTerm() < r.Term {
		return nil
	}
	return r.Entries
}

// Propose sends a command through the log and waits until it is applied. It
// returns the command's event, or an *tree.Error: the command's own, or one of
// the 300s when its fate is unknown.
func (n *Node) Propose(ctx context.Context, c *tree.Command) (*tree.Event, error) {
	emit(n.observer.ProposalStarted)
	result, err := n.submit(ctx, c)
	if err != nil {
		emit(n.observer.ProposalFailed)
		return nil, apiError(err)
	}
	emit(n.observer.ProposalDone)
	if result.Err != nil {
		return nil, result.Err
	}
	return result.Event, nil
}

// keptBytes bounds the room for a command that is kept for the next one.
const keptBytes = 64 << 10

func (n *Node) submit(ctx context.Context, c *tree.Command) (tree.Result, error) {
	p := n.pool.Get().(*proposal)
	p.data = tree.AppendCommand(p.data[:0], c)
	if len(p.data) > n.limits.command {
		return tree.Result{}, errTooLarge
	}
	if err := n.queue.add(p); err != nil {
		return tree.Result{}, err
	}
	n.core.turnForProposal(p)
	select {
	case o := <-p.done:
		// Only an answered proposal is used again: one that was given up may
		// still be answered.
		if cap(p.data) <= keptBytes {
			n.pool.Put(p)
		}
		return o.result, o.err
	case <-ctx.Done():
		return tree.Result{}, ctx.Err()
	}
}

// Tree is the replica's tree, for reading and watching.
func (n *Node) Tree() *tree.Store { return n.tree }

// Members is the cluster's membership as applied here.
func (n *Node) Members() *members.Registry { return n.registry }

// Status gives a consistent enough view of the log for headers and metrics.
func (n *Node) Status() Status {
	return Status{
		ID:        n.id,
		Leader:    members.ID(n.leader.Load()),
		Term:      n.term.Load(),
		Committed: n.committed.Load(),
		Applied:   n.applied.Load(),
	}
}

// LogBytes is about how much memory the log takes up.
func (n *Node) LogBytes() int64 { return n.core.storage.size() }

// Index is the index up to which the log is committed.
func (n *Node) Index() uint64 { return n.committed.Load() }

// Term is the log's current term.
func (n *Node) Term() uint64 { return n.term.Load() }

// Leader is the member that leads, zero when there is none.
func (n *Node) Leader() members.ID { return members.ID(n.leader.Load()) }

// Pending is the number of proposals that wait for their entry.
func (n *Node) Pending() int { return n.queue.len() }

// Ready is closed when the node has applied all that was committed before it
// started, and the members' list here has its name and client URLs.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// Done is closed when the loop has ended, after Stop or by a failure.
func (n *Node) Done() <-chan struct{} { return n.done }

// Err is why the loop ended: ErrStopped after Stop. It is valid once Done is
// closed.
func (n *Node) Err() error { return n.err }

// Stop ends the loop, answers whoever still waits, and writes a last
// checkpoint, so that the next start has nothing to replay. It returns when
// the disk is no longer in use.
func (n *Node) Stop() {
	n.stopOnce.Do(func() { close(n.stop) })
	<-n.done
}

// firstNumber starts the numbers of this process's batches where no earlier
// process's can be.
func randomNumber() uint64 {
	var b [8]byte
	// Read never fails: the runtime ends the program first.
	_, _ = rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}
