package raft

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"go.uber.org/zap"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/storage"
	"pando/tree"
)

// core owns the RawNode of the raft library, the log and the writing half of the tree. Its work is done in turns, by one
// goroutine at a time; see turn.go. It handles each Ready of the raft library and applies entries. The parts beside it do
// the rest: each has a few fields of its own, and reaches the core through the functions and interfaces that newCore passes.
//
// Callers must have the turn, unless a comment says otherwise.
type core struct {
	shared
	cfg     Config
	log     *zap.Logger
	raw     *rawNode
	storage *logStorage
	writer  *writer

	turn   sync.Mutex
	failed error // why the core ends; nil while it works

	deadlines   deadlines
	proposer    *proposer
	expirer     *expirer
	reader      *reader
	membership  *membershipManager
	founding    *foundingManager
	levels      *levelManager
	startup     *startup
	elections   *elections
	transfer    *leaderTransfer
	leases      *leaseManager
	history     *historyCompactor
	leaderLog   *leaderLog
	checkpoints *checkpointer
	auditor     *auditor
	checker     *messageChecker
	latencies   latencies

	staged *storage.Staged // a snapshot from a peer that raft has yet to take; nil mostly

	// Slices that are reused from turn to turn.
	tasks    []task
	toPeers  []*raftpb.Message
	commands []tree.Command
}

func newCore(parts shared, cfg Config) (*core, error) {
	c := &core{
		shared: parts, cfg: cfg, log: cfg.Logger, storage: newLogStorage(),
		deadlines: deadlines{tick: cfg.Tick}, latencies: latencies{},
	}
	if err := c.loadRecovered(); err != nil {
		return nil, err
	}
	c.addParts()
	c.founding.readEntries(entriesToReplay(cfg.Recovered))
	c.expirer.set(c.tree.View().NextExpiry())
	// Raft holds the recovered entries now. They take more memory than the tree, so nothing else must keep them.
	cfg.Recovered.Entries = nil
	return c, nil
}

// loadRecovered fills registry, raft and state with what the disk held.
func (c *core) loadRecovered() error {
	r, s := c.cfg.Recovered, c.state
	if len(r.Members) > 0 {
		if err := c.registry.Unmarshal(r.Members); err != nil {
			return fmt.Errorf("raft: members in the checkpoint: %w", err)
		}
		if c.registry.Removed(s.id) {
			return ErrRemoved
		}
	}
	err := checkRecoveredLevel(r, c.programLevel)
	if err != nil {
		return err
	}
	if c.raw, err = newRawNode(c.cfg, c.storage, c.limits); err != nil {
		return err
	}
	if s.lastIndex, err = c.storage.LastIndex(); err != nil {
		return fmt.Errorf("raft: last index: %w", err)
	}
	s.appliedTerm, s.confState = r.Term, r.ConfState
	s.level.Store(r.Level)
	s.applied.Store(r.Applied)
	s.term.Store(r.HardState.GetTerm())
	s.committed.Store(max(r.HardState.GetCommit(), r.Applied))
	s.replayed = s.committed.Load()
	if id, founded := c.registry.Founded(); founded {
		s.founding.Store(uint64(id))
	}
	return nil
}

// addParts makes the parts beside the core.
func (c *core) addParts() {
	cfg, d := &c.cfg, &c.deadlines
	post := func(do func()) { c.inbox.post(func(*core) { do() }) }
	c.writer = newWriter(c.disk, c.storage, c.limits.appends)
	c.proposer = newProposer(cfg, c.state, c.raw, c.queue, c.limits.deferred, d)
	c.expirer = newExpirer(c.proposer)
	c.reader = newReader(c.state, c.raw, c.readers, cfg.Timeout, d)
	c.startup = newStartup(cfg, c.state, c.raw, c.readers, c.ready, d)
	c.levels = newLevelManager(c, d)
	c.checkpoints = newCheckpointer(c)
	c.auditor = newAuditor(c, d)
	c.checker = newMessageChecker(c)
	c.membership = &membershipManager{
		state: c.state, raft: c.raw, registry: c.registry, log: c.log, lastReceived: c.transport.LastReceived, post: post, fail: c.fail,
		changed: c.storage.reconfigured, refreshPeers: c.refreshPeers,
		electionTimeout: cfg.electionTimeout(), number: randomNumber(),
	}
	c.membership.addDeadlines(d)
	c.founding = newFoundingManager(c, d)
	c.proposer.foundingPending = c.founding.pending
	c.elections = newElections(c, d)
	c.transfer = newLeaderTransfer(c, d)
	c.leaderLog = newLeaderLog(c, d)
	c.leases = newLeaseManager(c)
	c.history = newHistoryCompactor(c, d)
}

// run works until the node fails or is stopped.
func (c *core) run() {
	defer close(c.done)
	go c.writer.run()
	ticker := time.NewTicker(c.cfg.Tick)
	defer ticker.Stop()
	c.takeTurn(func() {
		c.refreshPeers()
		c.elections.campaignIfAlone()
	})
	c.serve(ticker.C)
	c.end()
}

// serve takes turns whenever there is work.
func (c *core) serve(ticks <-chan time.Time) {
	stop := c.stop
	for c.takeTurn(c.work) {
		select {
		case <-c.queue.wake:
		case <-c.readers.wake:
		case <-c.inbox.wake:
		case <-c.writer.wake:
		case <-c.checkpoints.wake:
		case now := <-ticks:
			c.takeTurn(func() { c.tick(now) })
		case <-c.expirer.timer.C:
		case <-stop:
			stop = nil // a closed channel is always ready
			c.takeTurn(c.transfer.begin)
		}
	}
}

// coreRounds bounds the work between two looks at the clock: under load there is always more work.
const coreRounds = 16

// work does the work that needs no waiting. If more may be left, it wakes the core's goroutine again.
func (c *core) work() {
	if c.advance(coreRounds) {
		wake(c.inbox.wake)
	}
}

// advance does up to this number of rounds of work that needs no waiting, and reports whether more may be left.
func (c *core) advance(rounds int) bool {
	for range rounds {
		c.takeDiskResults()
		c.runTasks()
		c.expirer.proposeIfDue()
		c.leases.proposeMore()
		c.history.proposeIfDue()
		c.proposer.propose()
		c.proposer.proposeCoalescedIfDue()
		c.reader.start()
		if c.failed != nil || !c.raw.HasReady() {
			return false
		}
		c.handle(c.raw.Ready())
	}
	return true
}

// runTasks runs the tasks that other goroutines have posted.
func (c *core) runTasks() {
	c.tasks = c.inbox.take(c.tasks[:0])
	for i, t := range c.tasks {
		c.tasks[i] = nil
		if c.failed == nil {
			t(c)
		}
	}
}

// takeDiskResults takes the results of appends and of a checkpoint. They are received inside a turn only: a goroutine
// that has received one and waits for the turn would block the turn that waits for this result.
func (c *core) takeDiskResults() {
	for len(c.writer.done) > 0 {
		c.appendDone(<-c.writer.done)
	}
	if len(c.checkpoints.done) > 0 {
		c.checkpoints.finish(<-c.checkpoints.done)
	}
}

// tick advances raft's clock and the deadlines, and looks for work that no event announces.
func (c *core) tick(now time.Time) {
	c.raw.Tick()
	c.deadlines.advance(now)
	c.checkpoints.beginIfDue()
	c.membership.promoteLearners()
	c.leases.proposeDue()
}

// refreshPeers passes the roster's members to the transport, and the applied members to the observer.
func (c *core) refreshPeers() {
	c.transport.SetPeers(c.roster.peers())
	maps.DeleteFunc(c.latencies, func(id uint64, _ *timed) bool {
		_, member := c.registry.Get(members.ID(id))
		return !member
	})
	emit1(c.observer.MembersChanged, c.registry.List())
}

// fail ends the core with an error: the disk, the log or the membership does not allow it to continue.
func (c *core) fail(err error) {
	if c.failed == nil {
		c.failed = err
		c.log.Error("the member stops because its log cannot continue", zap.Error(err))
	}
}

// healthy reports whether the core may go on.
func (c *core) healthy() bool { return c.failed == nil }

// finish ends the core after Stop. A member that is alone first writes what is in flight to the disk, so that the next
// start has nothing to replay. With other members, new entries would arrive as long as there is load.
func (c *core) finish() {
	c.proposer.refuse(ErrStopped)
	if c.state.alone() {
		for c.advanceUntilIdle(); c.writer.busy() && c.failed == nil; c.advanceUntilIdle() {
			c.awaitAppends()
		}
	}
	if c.failed == nil {
		c.failed = ErrStopped
	}
}

func (c *core) advanceUntilIdle() {
	for c.advance(coreRounds) {
	}
}

// end answers all callers that wait, and stops all use of the disk. No turn follows it.
func (c *core) end() {
	c.writer.stop()
	c.inbox.close()
	c.transport.Close()
	c.roster.close()
	c.leaseForwarder.close()
	if c.staged != nil {
		c.staged.Discard()
	}
	if c.failed == ErrStopped {
		c.checkpoints.writeLast()
	} else {
		c.checkpoints.await()
	}
	c.proposer.close(c.failed)
	c.reader.close(c.failed)
}
