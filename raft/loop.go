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
type loop struct {
	*Node
	turn   sync.Mutex
	cfg    Config
	log    *zap.Logger
	raw    *etcdraft.RawNode
	mem    *logStorage
	writer *writer
	failed error

	// Proposals of this member.
	number uint64            // of the last batch
	flying map[uint64]flight // proposed and not yet applied, by number
	// blocking is the batch that has to land before the next one leaves; zero
	// when none has.
	blocking uint64
	held     []held          // proposals that raft will take later
	gathered []*raftpb.Entry // proposed by followers; raft will get them later
	taken    []*proposal     // room for the next batch
	together int             // how many proposals have shared a batch lately
	recent   int             // how many commands had the largest of the batches applied lately
	crowded  atomic.Bool     // recent is more than one
	applies  []tree.Command  // room for the batch being applied
	caughtUp bool            // the tree holds what was committed before the start
	served   bool            // Ready is closed
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
	vetting    vetting
	doubts     doubts
	identity   identity
	leaderless leaderless
	latency    latencies
	staged     *storage.Staged   // came from a peer; waits for raft to take it
	tasks      []task            // room for the next ones
	toPeers    []*raftpb.Message // room for the next ones
	stopping   time.Time         // when the handing over of the leadership ends
}

// flight is a batch that was proposed and whose outcome is awaited.
type flight struct {
	proposals []*proposal // nil for a sweep
	since     time.Time
}

func newLoop(n *Node, cfg Config) (*loop, error) {
	l := &loop{
		Node:         n,
		cfg:          cfg,
		log:          cfg.Logger,
		mem:          newLogStorage(),
		latency:      latencies{},
		membership:   membership{waiting: map[uint64]changeWaiter{}, number: firstNumber()},
		number:       firstNumber(),
		reads:        reads{round: firstNumber()},
		flying:       map[uint64]flight{},
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
	var err error
	if l.raw, err = newRawNode(cfg, l.mem, n.limits); err != nil {
		return nil, err
	}
	if l.lastIndex, err = l.mem.LastIndex(); err != nil {
		return nil, fmt.Errorf("raft: last index: %w", err)
	}
	l.identity.used = n.tree.View().Index() > tree.New(1).View().Index()
	if id, founded := n.registry.Founded(); founded {
		n.founding.Store(uint64(id))
	}
	l.learnFounding(behind(cfg.Recovered))
	// What was recovered is in raft's hands now. Its entries weigh more than the
	// tree; nobody else must keep them.
	cfg.Recovered.Entries = nil
	l.writer = newWriter(cfg.Disk, l.mem, n.limits.appends)
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
func (l *loop) run() {
	defer close(l.done)
	go l.writer.run()
	ticker := time.NewTicker(l.cfg.Tick)
	defer ticker.Stop()
	l.takeTurn(func() {
		l.refreshPeers()
		l.campaignIfAlone()
	})
	l.follow(ticker.C)
	l.end()
}

// follow goes on until the node fails or is stopped.
func (l *loop) follow(ticks <-chan time.Time) {
	ending := l.stop
	for l.takeTurn(l.workOn) {
		select {
		case <-l.queue.wake:
		case <-l.readers.wake:
		case <-l.inbox.wake:
		case <-l.writer.wake:
		case <-l.checkpoint.wake:
		case now := <-ticks:
			l.takeTurn(func() { l.tick(now) })
		case <-l.expiry.timer.C:
		case <-ending:
			ending = nil // closed for good: it must not be selected again
			l.takeTurn(l.handOver)
		}
	}
}

// loopRounds bounds what the loop does before it looks at the clock: under load
// there is always more to do.
const loopRounds = 16

// workOn does what can be done without waiting, and comes back for more.
func (l *loop) workOn() {
	if l.advance(loopRounds) {
		wake(l.inbox.wake)
	}
}

// workOff does all that can be done without waiting, however long that takes.
func (l *loop) workOff() {
	for l.advance(loopRounds) {
	}
}

// advance does up to so many rounds of what can be done without waiting, and
// reports whether there may be more.
func (l *loop) advance(rounds int) bool {
	for range rounds {
		l.work()
		l.sweep()
		l.propose()
		l.offerGatheredIfDue()
		l.requestReadIndex()
		if l.failed != nil || !l.raw.HasReady() {
			return false
		}
		l.handle(l.raw.Ready())
	}
	return true
}

// refreshPeers makes the transport talk to the members as applied, and to those
// that the log has yet to tell of.
func (l *loop) refreshPeers() {
	l.transport.SetPeers(l.roster.peers())
	maps.DeleteFunc(l.latency, func(id uint64, _ *timed) bool {
		_, member := l.registry.Get(members.ID(id))
		return !member
	})
	l.observer.MembersChanged(l.registry.List())
}

func (l *loop) tick(now time.Time) {
	l.raw.Tick()
	l.succeedIfDue()
	l.offerHeld(now)
	l.retryReadIndex()
	l.checkpointIfDue()
	l.tendMembers(now)
	l.auditIfDue(now)
	l.foundIfDue(now)
	l.tellLeaderless(now)
	if !l.stopping.IsZero() && (now.After(l.stopping) || l.handedOver()) {
		l.finish()
	}
	before := now.Add(-l.cfg.Timeout)
	for _, p := range l.queue.expire(before) {
		p.done <- outcome{err: errTimeout}
	}
	for number, f := range l.flying {
		if f.since.Before(before) {
			l.land(number, f, outcome{err: errTimeout})
		}
	}
}

// campaignIfAlone spares a single member the wait for an election timeout: no
// other can lead.
func (l *loop) campaignIfAlone() {
	if !l.alone() || l.leader.Load() != 0 || l.raw.BasicStatus().RaftState != etcdraft.StateFollower {
		return
	}
	if err := l.raw.Campaign(); err != nil {
		l.fail(fmt.Errorf("raft: campaign: %w", err))
	}
}

// alone reports whether this member is the only one that votes.
func (l *loop) alone() bool {
	c := l.confState
	return c != nil && len(c.GetVoters()) == 1 && c.GetVoters()[0] == uint64(l.id) &&
		len(c.GetVotersOutgoing()) == 0 && len(c.GetLearners()) == 0
}

// propose makes one entry of all that waits, unless one is on its way: then
// what waits collects for the next.
func (l *loop) propose() {
	if l.leader.Load() == 0 || l.blocked() || l.awaitsFounding() {
		return
	}
	if l.together > 1 && l.alone() {
		// Some of those who were answered last are about to come again: letting them
		// run makes the batch larger and the syncs fewer. With followers to wait for,
		// they come by themselves.
		runtime.Gosched()
	}
	l.taken = l.queue.take(l.taken[:0])
	l.together = max(len(l.taken), l.together/2)
	if len(l.taken) == 0 {
		return
	}
	size := batchHead
	for _, p := range l.taken {
		size += len(p.data)
	}
	data := l.batchHead(size)
	for _, p := range l.taken {
		data = append(data, p.data...)
	}
	f := flight{proposals: append([]*proposal(nil), l.taken...), since: l.taken[0].since}
	clear(l.taken)
	l.send(data, f)
}

// blocked reports whether the last batch is still on its way, or under load any
// append. One that was forwarded to a leader may be lost for good, so after a while
// it no longer blocks.
func (l *loop) blocked() bool {
	if l.gathering() {
		return l.appending()
	}
	f, underway := l.flying[l.blocking]
	return underway && (l.leads() || time.Since(f.since) < forwardWait*l.cfg.Tick)
}

// forwardWait is how many ticks a forwarded batch holds up the next one.
const forwardWait = 3

// batchHead begins a batch with the next number and room for size bytes.
func (l *loop) batchHead(size int) []byte {
	l.number++
	return appendBatchHead(make([]byte, 0, size), uint64(l.id), l.number, l.now().UnixNano())
}

// send proposes the batch with the current number.
func (l *loop) send(data []byte, f flight) {
	l.flying[l.number] = f
	l.blocking = l.number
	if err := l.offer(l.withGathered(&raftpb.Entry{Data: data}), f.since); err != nil {
		l.land(l.number, f, outcome{err: err})
	}
}

// work does what other goroutines have brought.
func (l *loop) work() {
	l.takeDone()
	l.tasks = l.inbox.take(l.tasks[:0])
	for i, t := range l.tasks {
		l.tasks[i] = nil
		if l.failed == nil {
			t(l)
		}
	}
}

// takeDone takes what the disk has done. That is for the one who has the turn: what
// another held in hand, while waiting for a turn, could not be waited for in this one.
func (l *loop) takeDone() {
	for len(l.writer.done) > 0 {
		l.landed(<-l.writer.done)
	}
	if len(l.checkpoint.done) > 0 {
		l.checkpointed(<-l.checkpoint.done)
	}
}

// land ends a batch all of whose proposals have the same outcome.
func (l *loop) land(number uint64, f flight, o outcome) {
	delete(l.flying, number)
	for _, p := range f.proposals {
		p.done <- o
	}
}

// fail ends the loop: the disk or the log can no longer be trusted.
func (l *loop) fail(err error) {
	if l.failed == nil {
		l.failed = err
		l.log.Error("the server stops: its log can't go on", zap.Error(err))
	}
}

// end answers whoever waits and leaves the disk in peace.
func (l *loop) end() {
	l.writer.stop()
	l.inbox.close()
	l.transport.Close()
	l.roster.close()
	if l.staged != nil {
		l.staged.Discard()
	}
	if l.failed == ErrStopped {
		l.lastCheckpoint()
	} else {
		l.awaitCheckpoint()
	}
	l.err = l.failed
	l.refuse(l.failed)
	for number, f := range l.flying {
		l.land(number, f, outcome{err: l.failed})
	}
	l.readers.close(l.failed)
	l.reads.answer(l.failed)
}
