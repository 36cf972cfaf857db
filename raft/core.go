package raft

import (
	"fmt"
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/storage"
	"pando/tree"
)

// loop owns everything that only one goroutine at a time may touch: the one that
// has the turn.
type core struct {
	*Node
	turn    sync.Mutex
	cfg     Config
	log     *zap.Logger
	raw     *etcdraft.RawNode
	storage *logStorage
	writer  *writer
	failed  error

	// Proposals of this member.
	number   uint64                   // of the last batch
	inFlight map[uint64]proposedBatch // proposed and not yet applied, by number
	// blocking is the batch that has to land before the next one leaves; zero
	// when none has.
	blocking  uint64
	deferred  []deferred      // proposals that raft will take later
	coalesced []*raftpb.Entry // proposed by followers; raft will get them later
	taken     []*proposal     // room for the next batch
	together  int             // how many proposals have shared a batch lately
	recent    int             // how many commands had the largest of the batches applied lately
	underLoad atomic.Bool     // recent is more than one
	applies   []tree.Command  // room for the batch being applied
	caughtUp  bool            // the tree holds what was committed before the start
	served    bool            // Ready is closed
	// firstRead is the read that a follower makes before it serves; nil when none
	// is under way.
	firstRead chan error

	replayed  uint64 // what was committed before this start is no news
	lastIndex uint64 // of the log, with what is on its way to the disk

	// The log as applied.
	appliedIndex, appliedTerm uint64
	confState                 *raftpb.ConfState

	expiry     expiry
	reads      reads
	checkpoint checkpoint
	membership membership
	succession succession
	audits     audits
	checks     checks
	claims     claims
	identity   identity
	levels     levels
	leaderless leaderless
	latency    latencies
	staged     *storage.Staged   // came from a peer; waits for raft to take it
	tasks      []task            // room for the next ones
	toPeers    []*raftpb.Message // room for the next ones
	stopping   time.Time         // when the handing over of the leadership ends
}

// flight is a batch that was proposed and whose outcome is awaited.
type proposedBatch struct {
	proposals []*proposal // nil for a sweep
	since     time.Time
}

func newCore(n *Node, cfg Config) (*core, error) {
	l := &core{
		Node:         n,
		cfg:          cfg,
		log:          cfg.Logger,
		storage:      newLogStorage(),
		latency:      latencies{},
		membership:   membership{waiting: map[uint64]changeWaiter{}, number: randomNumber()},
		number:       randomNumber(),
		reads:        reads{round: randomNumber()},
		inFlight:     map[uint64]proposedBatch{},
		appliedIndex: cfg.Recovered.Applied,
		appliedTerm:  cfg.Recovered.Term,
		confState:    cfg.Recovered.ConfState,
	}
	if len(cfg.Recovered.Members) > 0 {
		if err := n.registry.Unmarshal(cfg.Recovered.Members); err != nil {
			return nil, fmt.Errorf("raft: members in the checkpoint: %w", err)
		}
		if n.registry.Removed(n.id) {
			return nil, ErrRemoved
		}
	}
	err := l.recoverLevel(cfg.Recovered)
	if err != nil {
		return nil, err
	}
	if l.raw, err = newRawNode(cfg, l.storage, n.limits); err != nil {
		return nil, err
	}
	if l.lastIndex, err = l.storage.LastIndex(); err != nil {
		return nil, fmt.Errorf("raft: last index: %w", err)
	}
	l.identity.used = n.tree.View().Index() > tree.New(1).View().Index()
	if id, founded := n.registry.Founded(); founded {
		n.founding.Store(uint64(id))
	}
	l.learnFounding(EntriesToReplay(cfg.Recovered))
	// What was recovered is in raft's hands now. Its entries weigh more than the
	// tree; nobody else must keep them.
	cfg.Recovered.Entries = nil
	l.writer = newWriter(cfg.Disk, l.storage, n.limits.appends)
	l.expiry = newExpiry()
	l.expiry.set(n.tree.View().NextExpiry(), n.now())
	l.checkpoint = newCheckpoint(l.appliedIndex)
	n.applied.Store(l.appliedIndex)
	n.term.Store(cfg.Recovered.HardState.GetTerm())
	n.committed.Store(max(cfg.Recovered.HardState.GetCommit(), l.appliedIndex))
	l.replayed = n.committed.Load()
	l.leaderless.since = time.Now()
	return l, nil
}

// run is the loop.
func (c *core) run() {
	defer close(c.done)
	go c.writer.run()
	ticker := time.NewTicker(c.cfg.Tick)
	defer ticker.Stop()
	c.takeTurn(func() {
		c.refreshPeers()
		c.campaignIfAlone()
	})
	c.follow(ticker.C)
	c.end()
}

// follow goes on until the node fails or is stopped.
func (c *core) follow(ticks <-chan time.Time) {
	ending := c.stop
	for c.takeTurn(c.workForTurn) {
		select {
		case <-c.queue.wake:
		case <-c.readers.wake:
		case <-c.inbox.wake:
		case <-c.writer.wake:
		case <-c.checkpoint.wake:
		case now := <-ticks:
			c.takeTurn(func() { c.tick(now) })
		case <-c.expiry.timer.C:
		case <-ending:
			ending = nil // closed for good: it must not be selected again
			c.takeTurn(c.transferAndStop)
		}
	}
}

// loopRounds bounds what the loop does before it looks at the clock: under load
// there is always more to do.
const loopRounds = 16

// workOn does what can be done without waiting, and comes back for more.
func (c *core) workForTurn() {
	if c.advance(loopRounds) {
		wake(c.inbox.wake)
	}
}

// workOff does all that can be done without waiting, however long that takes.
func (c *core) workUntilIdle() {
	for c.advance(loopRounds) {
	}
}

// advance does up to so many rounds of what can be done without waiting, and
// reports whether there may be more.
func (c *core) advance(rounds int) bool {
	for range rounds {
		c.work()
		c.sweep()
		c.propose()
		c.proposeCoalescedIfDue()
		c.requestReadIndex()
		if c.failed != nil || !c.raw.HasReady() {
			return false
		}
		c.handle(c.raw.Ready())
	}
	return true
}

// refreshPeers makes the transport talk to the members as applied, and to those
// that the log has yet to tell of.
func (c *core) refreshPeers() {
	c.transport.SetPeers(c.roster.peers())
	maps.DeleteFunc(c.latency, func(id uint64, _ *timed) bool {
		_, member := c.registry.Get(members.ID(id))
		return !member
	})
	emit1(c.observer.MembersChanged, c.registry.List())
}

func (c *core) tick(now time.Time) {
	c.raw.Tick()
	c.succeedIfDue()
	c.retryDeferred(now)
	c.retryReadIndex()
	c.checkpointIfDue()
	c.membershipTick(now)
	c.auditIfDue(now)
	c.foundIfDue(now)
	c.raiseLevelIfDue(now)
	c.logLeaderless(now)
	if !c.stopping.IsZero() && (now.After(c.stopping) || c.transferred()) {
		c.finish()
	}
	before := now.Add(-c.cfg.Timeout)
	for _, p := range c.queue.expire(before) {
		p.done <- outcome{err: errTimeout}
	}
	for number, f := range c.inFlight {
		if f.since.Before(before) {
			c.completeBatch(number, f, outcome{err: errTimeout})
		}
	}
}

// campaignIfAlone spares a single member the wait for an election timeout: no
// other can lead.
func (c *core) campaignIfAlone() {
	if !c.alone() || c.leader.Load() != 0 || c.raw.BasicStatus().RaftState != etcdraft.StateFollower {
		return
	}
	if err := c.raw.Campaign(); err != nil {
		c.fail(fmt.Errorf("raft: campaign: %w", err))
	}
}

// alone reports whether this member is the only one that votes.
func (l *core) alone() bool {
	c := l.confState
	return c != nil && len(c.GetVoters()) == 1 && c.GetVoters()[0] == uint64(l.id) &&
		len(c.GetVotersOutgoing()) == 0 && len(c.GetLearners()) == 0
}

// propose makes one entry of all that waits, unless one is on its way: then
// what waits collects for the next.
func (c *core) propose() {
	if c.leader.Load() == 0 || c.blocked() || c.awaitsFounding() {
		return
	}
	if c.together > 1 && c.alone() {
		// Some of those who were answered last are about to come again: letting them
		// run makes the batch larger and the syncs fewer. With followers to wait for,
		// they come by themselves.
		runtime.Gosched()
	}
	c.taken = c.queue.take(c.taken[:0])
	c.together = max(len(c.taken), c.together/2)
	if len(c.taken) == 0 {
		return
	}
	size := batchHead
	for _, p := range c.taken {
		size += len(p.data)
	}
	data := c.batchHead(size)
	for _, p := range c.taken {
		data = append(data, p.data...)
	}
	f := proposedBatch{proposals: append([]*proposal(nil), c.taken...), since: c.taken[0].since}
	clear(c.taken)
	c.send(data, f)
}

// blocked reports whether the last batch is still on its way, or under load any
// append. One that was forwarded to a leader may be lost for good, so after a while
// it no longer blocks.
func (c *core) blocked() bool {
	if c.coalesces() {
		return c.appending()
	}
	f, underway := c.inFlight[c.blocking]
	return underway && (c.leads() || time.Since(f.since) < forwardWait*c.cfg.Tick)
}

// forwardWait is how many ticks a forwarded batch holds up the next one.
const forwardWait = 3

// batchHead begins a batch with the next number and room for size bytes.
func (c *core) batchHead(size int) []byte {
	c.number++
	return appendBatchHead(make([]byte, 0, size), uint64(c.id), c.number, c.now().UnixNano())
}

// send proposes the batch with the current number.
func (c *core) send(data []byte, f proposedBatch) {
	c.inFlight[c.number] = f
	c.blocking = c.number
	if err := c.offer(c.withCoalesced(&raftpb.Entry{Data: data}), f.since); err != nil {
		c.completeBatch(c.number, f, outcome{err: err})
	}
}

// work does what other goroutines have brought.
func (c *core) work() {
	c.takeDone()
	c.tasks = c.inbox.take(c.tasks[:0])
	for i, t := range c.tasks {
		c.tasks[i] = nil
		if c.failed == nil {
			t(c)
		}
	}
}

// takeDone takes what the disk has done. That is for the one who has the turn: what
// another held in hand, while waiting for a turn, could not be waited for in this one.
func (c *core) takeDone() {
	for len(c.writer.done) > 0 {
		c.appendDone(<-c.writer.done)
	}
	if len(c.checkpoint.done) > 0 {
		c.checkpointed(<-c.checkpoint.done)
	}
}

// land ends a batch all of whose proposals have the same outcome.
func (c *core) completeBatch(number uint64, f proposedBatch, o outcome) {
	delete(c.inFlight, number)
	for _, p := range f.proposals {
		p.done <- o
	}
}

// fail ends the loop: the disk or the log can no longer be trusted.
func (c *core) fail(err error) {
	if c.failed == nil {
		c.failed = err
		c.log.Error("the server stops: its log can't go on", zap.Error(err))
	}
}

// end answers whoever waits and leaves the disk in peace.
func (c *core) end() {
	c.writer.stop()
	c.inbox.close()
	c.transport.Close()
	c.roster.close()
	if c.staged != nil {
		c.staged.Discard()
	}
	if c.failed == ErrStopped {
		c.lastCheckpoint()
	} else {
		c.awaitCheckpoint()
	}
	c.err = c.failed
	c.refuse(c.failed)
	for number, f := range c.inFlight {
		c.completeBatch(number, f, outcome{err: c.failed})
	}
	c.readers.close(c.failed)
	c.reads.answer(c.failed)
}
