package raft

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"sync"

	"pando/members"
	"pando/raft/transport"
	"pando/storage"
	"pando/tree"
)

// Node is one member's replica of the log and the tree: the handle that the rest of the program uses. Its methods may be
// called from any goroutine.
type Node struct {
	shared
	core      *core
	pool      sync.Pool  // of *proposal
	receiving sync.Mutex // held while a snapshot from a peer is received
	stopOnce  sync.Once
}

// shared holds the fields that the Node and its core use. Any goroutine may use them, except where the comments of
// the types say otherwise. Other goroutines pass work to the core only through queue, readers and inbox.
type shared struct {
	state     *logState
	disk      *storage.Disk
	tree      *tree.Store
	registry  *members.Registry
	limits    limits
	observer  *Observer
	queue     *queue
	readers   *readQueue
	inbox     *inbox
	roster    *roster
	transport *transport.Transport

	leaseTable     *leaseTable
	leaseForwarder *leaseForwarder

	programLevel uint64        // the highest feature level that this program serves
	ready        chan struct{} // closed when the node serves
	stop         chan struct{} // closed by Stop
	done         chan struct{} // closed when the core has ended
}

// Status is the state of the log at one moment.
type Status struct {
	ID, Leader               members.ID // Leader is zero when there is none
	Term, Committed, Applied uint64
}

// Start loads the recovered data into the tree and starts the node. The node serves once Ready is closed.
func Start(cfg Config) (*Node, error) {
	cfg.ensureDefaults()
	bounds := newLimits(cfg.RequestBytes, cfg.CatchUpBytes)
	n := &Node{shared: shared{
		state:        &logState{id: members.ID(cfg.Recovered.Identity.MemberID)},
		disk:         cfg.Disk,
		tree:         cfg.Recovered.Store,
		registry:     cfg.Registry,
		limits:       bounds,
		observer:     &cfg.Observer,
		queue:        newQueue(bounds.queue),
		readers:      newReadQueue(),
		inbox:        newInbox(bounds.inbox),
		leaseTable:   newLeaseTable(),
		programLevel: cfg.programLevel(),
		ready:        make(chan struct{}),
		stop:         make(chan struct{}),
		done:         make(chan struct{}),
	}}
	n.pool.New = func() any { return &proposal{done: make(chan outcome, 1)} }
	n.roster = newRoster(cfg, func() { n.inbox.post(func(c *core) { c.refreshPeers() }) })
	n.transport = n.newTransport(cfg)
	n.leaseForwarder = newLeaseForwarder(n.Leader, n.transport.AskLeases)
	c, err := newCore(n.shared, cfg)
	if err != nil {
		return nil, err
	}
	n.core = c
	go c.run()
	return n, nil
}

// Propose sends a command through the log and waits until it is applied here. It returns the command's event, or an
// *tree.Error: the command's own, or one with a code of the 300s when the outcome is unknown.
func (n *Node) Propose(ctx context.Context, command *tree.Command) (*tree.Event, error) {
	result, err := n.propose(ctx, command)
	return result.Event, err
}

// ProposeTxn is Propose for an OpTxn. It returns the result of the transaction.
func (n *Node) ProposeTxn(ctx context.Context, command *tree.Command) (*tree.TxnResult, error) {
	result, err := n.propose(ctx, command)
	return result.Txn, err
}

// ProposeKV is Propose for a command of the v3 API. It returns its whole result.
func (n *Node) ProposeKV(ctx context.Context, command *tree.Command) (tree.Result, error) {
	return n.propose(ctx, command)
}

func (n *Node) propose(ctx context.Context, command *tree.Command) (tree.Result, error) {
	emit(n.observer.ProposalStarted)
	result, err := n.submit(ctx, command)
	if err != nil {
		emit(n.observer.ProposalFailed)
		return tree.Result{}, apiError(err)
	}
	emit(n.observer.ProposalDone)
	if result.Err != nil {
		return tree.Result{}, result.Err
	}
	return result, nil
}

// reusedBytes bounds the buffer of a proposal that is kept for the next one.
const reusedBytes = 64 << 10

func (n *Node) submit(ctx context.Context, command *tree.Command) (tree.Result, error) {
	if command.Level() > n.FeatureLevel() {
		return tree.Result{}, errOldMembers
	}
	p := n.pool.Get().(*proposal)
	p.data, p.changes = tree.AppendCommand(p.data[:0], command), changesOf(command, n.tree)
	if len(p.data) > n.limits.command {
		return tree.Result{}, errTooLarge
	}
	if err := n.queue.add(p); err != nil {
		return tree.Result{}, err
	}
	n.core.turnForProposal(p)
	select {
	case o := <-p.done:
		// Only an answered proposal is reused: one that its caller has given up may be answered later.
		if cap(p.data) <= reusedBytes {
			n.pool.Put(p)
		}
		return o.result, o.err
	case <-ctx.Done():
		return tree.Result{}, ctx.Err()
	}
}

// Tree returns the tree of this replica, to read and to watch.
func (n *Node) Tree() *tree.Store { return n.tree }

// Members returns the members of the cluster as applied here.
func (n *Node) Members() *members.Registry { return n.registry }

// Status returns the state of the log. Its fields are read one after the other, so they may be of different moments.
func (n *Node) Status() Status {
	return Status{
		ID:        n.state.id,
		Leader:    n.Leader(),
		Term:      n.Term(),
		Committed: n.Index(),
		Applied:   n.state.applied.Load(),
	}
}

// LogBytes is about the memory that the log takes, in bytes.
func (n *Node) LogBytes() int64 { return n.core.storage.size() }

// Index is the index up to which the log is committed.
func (n *Node) Index() uint64 { return n.state.committed.Load() }

// Applied is the index up to which the log is applied here.
func (n *Node) Applied() uint64 { return n.state.applied.Load() }

// Term is the current term.
func (n *Node) Term() uint64 { return n.state.term.Load() }

// Leader is the member that leads; zero when there is none.
func (n *Node) Leader() members.ID { return members.ID(n.state.leader.Load()) }

// Pending is the number of proposals that wait for their entry.
func (n *Node) Pending() int { return n.queue.len() }

// Ready is closed when the node has applied everything that was committed before it started, and the list of members
// here has its name and client URLs.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// Replayed reports whether the tree has all entries that this member knew to be committed before its start. It becomes true without
// the help of other members.
func (n *Node) Replayed() bool { return n.state.applied.Load() >= n.state.replayed }

// Done is closed when the node has ended, after Stop or by a failure.
func (n *Node) Done() <-chan struct{} { return n.done }

// Err is the reason why the node ended: ErrStopped after Stop. It is valid once Done is closed.
func (n *Node) Err() error { return n.core.failed }

// Stop ends the node, answers all callers that wait, and writes a last checkpoint, so that the next start has nothing to
// replay. It returns when the disk is no longer in use.
func (n *Node) Stop() {
	n.stopOnce.Do(func() { close(n.stop) })
	<-n.done
}

// randomNumber is a random 64-bit number. Counters that begin with one don't meet those of an earlier process.
func randomNumber() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: the runtime ends the program first
	return binary.LittleEndian.Uint64(b[:])
}
