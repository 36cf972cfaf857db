package raft

import (
	"fmt"
	"strings"
	"testing"
	"time"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/tree"
)

// fakeRaft takes proposals, or drops them as raft does without a leader.
type fakeRaft struct {
	drops bool
	taken []*raftpb.Message
}

func (f *fakeRaft) Step(m *raftpb.Message) error {
	if f.drops {
		return etcdraft.ErrProposalDropped
	}
	f.taken = append(f.taken, m)
	return nil
}

func (f *fakeRaft) committed() uint64 { return 0 }

// testProposer makes the proposer of member 1 of three.
func testProposer(leader uint64, deferredBytes int) (*proposer, *fakeRaft, *deadlines) {
	const tick = 10 * time.Millisecond
	raft, d := &fakeRaft{}, &deadlines{tick: tick}
	state := &logState{id: 1, confState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}}}
	state.leader.Store(leader)
	cfg := &Config{Now: time.Now, Timeout: time.Minute, Tick: tick}
	p := newProposer(cfg, state, raft, newQueue(testQueue), deferredBytes, d)
	p.foundingPending = func() bool { return false }
	return p, raft, d
}

// TestMayPropose checks the rule for what is in flight.
func TestMayPropose(t *testing.T) {
	const self, other = 1, 2
	const fresh = -time.Hour // does not become old on a busy machine
	inFlight := func(age time.Duration) func(p *proposer) {
		return func(p *proposer) { p.inFlight.add(7, inFlightBatch{since: time.Now().Add(-age)}) }
	}
	heavy := func(p *proposer) { p.load.batchApplied(64) }
	appending := func(p *proposer) { p.state.lastIndex = 9 }
	alone := func(p *proposer) { p.state.confState.Voters = []uint64{self} }
	all := func(changes ...func(*proposer)) func(*proposer) {
		return func(p *proposer) {
			for _, change := range changes {
				change(p)
			}
		}
	}
	for name, test := range map[string]struct {
		leader  uint64
		prepare func(*proposer)
		propose bool
		append  bool // what followers forward
	}{
		"no leader":                             {0, all(), false, true},
		"nothing in flight":                     {self, all(), true, true},
		"a batch of the leader in flight":       {self, inFlight(time.Hour), false, true},
		"a forwarded batch in flight":           {other, inFlight(fresh), false, true},
		"a forwarded batch that may be lost":    {other, inFlight(time.Hour), true, true},
		"a forwarded batch, and a new leader":   {other, all(inFlight(fresh), (*proposer).leaderChanged), true, true},
		"a lone append in flight":               {self, appending, true, true},
		"load and an append in flight":          {self, all(heavy, appending), false, false},
		"load and a batch without an append":    {self, all(heavy, inFlight(fresh)), true, true},
		"load on a follower":                    {other, all(heavy, appending), true, true},
		"load on a follower, a batch in flight": {other, all(heavy, inFlight(fresh)), false, true},
		"load without other members":            {self, all(heavy, appending, alone), true, true},
		"the founding ID is not applied":        {self, func(p *proposer) { p.foundingPending = func() bool { return true } }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, _, _ := testProposer(test.leader, 1<<20)
			test.prepare(p)
			if p.mayPropose() != test.propose || p.mayAppend() != test.append {
				t.Errorf("may propose: %v, may append: %v; want %v, %v", p.mayPropose(), p.mayAppend(), test.propose, test.append)
			}
		})
	}
}

// TestDeferredProposal follows a proposal that raft does not take at first, and one that it never takes.
func TestDeferredProposal(t *testing.T) {
	add := func(t *testing.T, p *proposer) *proposal {
		t.Helper()
		added := proposalOf(10)
		if err := p.queue.add(added); err != nil {
			t.Fatal(err)
		}
		return added
	}
	t.Run("taken later", func(t *testing.T) {
		p, raft, d := testProposer(2, 1<<20)
		raft.drops = true
		waiting := add(t, p)
		p.propose()
		d.advance(time.Now().Add(d.tick))
		if len(p.deferred.list) != 1 || len(p.inFlight.batches) != 1 {
			t.Fatalf("%d proposals are deferred, %d batches in flight", len(p.deferred.list), len(p.inFlight.batches))
		}
		raft.drops = false
		d.advance(time.Now().Add(d.tick))
		if len(raft.taken) != 1 || len(p.deferred.list) != 0 || len(waiting.done) != 0 {
			t.Fatalf("raft took %d messages, %d are deferred", len(raft.taken), len(p.deferred.list))
		}
		p.inFlight.applied(p.number, make([]tree.Result, 1))
		if o := <-waiting.done; o.err != nil || p.retry.isSet() {
			t.Errorf("the caller got %v; another attempt is due: %v", o.err, p.retry.isSet())
		}
	})
	t.Run("never taken", func(t *testing.T) {
		p, raft, d := testProposer(2, 1<<20)
		raft.drops = true
		batch, queued := add(t, p), (*proposal)(nil)
		p.propose()
		queued = add(t, p)
		p.propose()
		late := time.Now().Add(p.maxWait)
		d.advance(late.Add(time.Second))
		for name, each := range map[string]*proposal{"in flight": batch, "in the queue": queued} {
			if len(each.done) != 1 || (<-each.done).err != errTimeout {
				t.Errorf("the proposal %s did not time out", name)
			}
		}
		if d.advance(late.Add(2 * time.Second)); len(p.deferred.list) != 0 || p.timeout.isSet() || p.retry.isSet() {
			t.Errorf("%d proposals are still deferred, or a deadline is set", len(p.deferred.list))
		}
	})
	t.Run("no room", func(t *testing.T) {
		p, raft, _ := testProposer(2, 1)
		raft.drops = true
		add(t, p)
		p.propose()
		p.leaderChanged()
		second := add(t, p)
		p.propose()
		if o := <-second.done; o.err == nil {
			t.Error("a proposal without room is deferred")
		}
	})
}

// TestOtherBatchAnswersNothing applies a batch that has the number of one of this member's and fewer commands: only
// the member's own batch may answer the caller.
func TestOtherBatchAnswersNothing(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	nodeCore := m.start().core
	p := proposalOf(1)
	done := make(chan struct{})
	nodeCore.inbox.post(func(c *core) {
		defer close(done)
		c.proposer.inFlight.batches[1] = inFlightBatch{proposals: []*proposal{p}, since: time.Now()}
		c.proposer.inFlight.applied(1, nil)
		if len(p.done) > 0 {
			t.Error("another batch answers a proposal")
		}
		c.proposer.inFlight.applied(1, make([]tree.Result, 1))
	})
	<-done
	if len(p.done) != 1 || len(nodeCore.proposer.inFlight.batches) != 0 {
		t.Error("the proposal has no answer")
	}
}

// forwarded is a proposal as a follower forwards it: a batch with one command, which sets a key.
func forwarded(from members.ID, number uint64, path, value string) *raftpb.Message {
	data := encodeBatch(batch{
		proposer: uint64(from), number: number, time: time.Now().UnixNano(),
		commands: []tree.Command{{Op: tree.OpSet, Path: path, Value: value}},
	})
	return &raftpb.Message{Type: raftpb.MsgProp.Enum(), From: (*uint64)(&from), Entries: []*raftpb.Entry{{Data: data}}}
}

// inTurnOf runs a task in a turn of a member's core, and waits for its end. The task must not call advance, which runs the tasks.
func (r *replica) inTurnOf(do task) {
	r.c.t.Helper()
	done := make(chan struct{})
	r.node().inbox.post(func(c *core) { defer close(done); do(c) })
	<-done
}

// appendUnderLoad leaves an append of the leader in flight, as under load.
func appendUnderLoad(t *testing.T, c *core, m *raftpb.Message) {
	c.proposer.load.applied = 1 << 10 // the small batches of this test would end the load
	c.proposer.load.heavy.Store(true)
	if err := c.proposer.offer(m, time.Now()); err != nil {
		t.Error(err)
	}
	c.handle(c.raw.Ready())
}

// expectCoalesced checks how many proposals are coalesced.
func expectCoalesced(t *testing.T, c *core, want int) {
	t.Helper()
	if got := len(c.proposer.coalesced); got != want {
		t.Errorf("%d proposals are coalesced, want %d", got, want)
	}
}

func exists(r *replica, path string) bool {
	_, err := r.node().Tree().View().Get(path)
	return err == nil
}

// TestCoalesce forwards proposals to a leader while an append is in flight.
func TestCoalesce(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, steady)
	c.settle()
	lead, from := c.leader(), c.follower().id
	before := lead.node().Tree().View().Index()
	const coalesces, beyond = 4, 3
	value := strings.Repeat("x", maxCoalesced/coalesces-512)
	lead.inTurnOf(func(c *core) {
		appendUnderLoad(t, c, forwarded(from, 1, "/0", "1"))
		last := c.state.lastIndex
		for i := range coalesces + beyond {
			c.proposer.forward(forwarded(from, uint64(2+i), fmt.Sprintf("/%d", 1+i), value))
		}
		expectCoalesced(t, c, coalesces)
		c.handle(c.raw.Ready())
		if c.state.lastIndex != last+beyond {
			t.Errorf("raft got %d proposals, want the %d that exceed the bound", c.state.lastIndex-last, beyond)
		}
		c.proposer.proposeCoalescedIfDue()
		if len(c.proposer.coalesced) != coalesces {
			t.Error("raft got coalesced proposals while the append was in flight")
		}
	})
	c.await("all that was proposed", func() bool {
		for i := range 1 + coalesces + beyond {
			if !exists(lead, fmt.Sprintf("/%d", i)) {
				return false
			}
		}
		return true
	})
	c.settle()
	if made := lead.node().Tree().View().Index() - before; made != 1+coalesces+beyond {
		t.Errorf("%d writes were made of %d", made, 1+coalesces+beyond)
	}
}

// TestLargeProposalIsNotCoalesced forwards a large batch and a small one while an append is in flight.
func TestLargeProposalIsNotCoalesced(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, steady)
	c.settle()
	lead, from := c.leader(), c.follower().id
	lead.inTurnOf(func(c *core) {
		appendUnderLoad(t, c, forwarded(from, 1, "/a", "1"))
		c.proposer.forward(forwarded(from, 2, "/large", strings.Repeat("x", maxCoalesced)))
		c.proposer.forward(forwarded(from, 3, "/b", "1"))
		expectCoalesced(t, c, 1) // the small one
	})
	c.await("all writes", func() bool { return exists(lead, "/a") && exists(lead, "/large") && exists(lead, "/b") })
}

// TestLoneWriteIsNotCoalesced forwards a lone write while another one is in flight.
func TestLoneWriteIsNotCoalesced(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, steady)
	c.settle()
	lead, from := c.leader(), c.follower().id
	lead.inTurnOf(func(c *core) {
		appendUnderLoad(t, c, forwarded(from, 1, "/a", "1"))
		c.proposer.load.heavy.Store(false)
		c.proposer.forward(forwarded(from, 2, "/b", "1"))
		if len(c.proposer.coalesced) != 0 || !c.raw.HasReady() {
			t.Error("without load, a write waits for the commit of another one")
		}
	})
	c.await("both writes", func() bool { return exists(lead, "/a") && exists(lead, "/b") })
}

// TestCoalescedAfterLeadership deposes a leader that has coalesced proposals: the next leader gets them.
func TestCoalescedAfterLeadership(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) { cfg.ElectionTicks, cfg.Timeout = 50, testTimeout })
	c.settle()
	lead := c.leader()
	rest := c.others(lead)
	c.isolate(lead)
	lead.inTurnOf(func(c *core) {
		appendUnderLoad(t, c, forwarded(rest[0].id, 1, "/appended", "1"))
		c.proposer.forward(forwarded(rest[0].id, 2, "/coalesced", "1"))
		expectCoalesced(t, c, 1)
	})
	c.leaderOf(rest, lead)
	rest[0].set("/others", "1")
	c.links.heal()
	c.await("the coalesced proposal", func() bool { return exists(rest[0], "/coalesced") })
	c.settle()
	if exists(rest[0], "/appended") {
		t.Error("the next leader has what only the old one had appended")
	}
}

// TestCoalescedBeforeTransfer stops a leader that has a coalesced proposal: the proposal must be in the log of the
// next leader.
func TestCoalescedBeforeTransfer(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, steady)
	c.settle()
	lead, from := c.leader(), c.follower()
	lead.inTurnOf(func(c *core) {
		appendUnderLoad(t, c, forwarded(from.id, 1, "/a", "1"))
		c.proposer.forward(forwarded(from.id, 2, "/b", "1"))
		expectCoalesced(t, c, 1)
		c.transfer.begin()
		if len(c.proposer.coalesced) != 0 || len(c.proposer.deferred.list) != 0 {
			t.Error("a coalesced proposal is not in the log of the leader that stops")
		}
	})
	c.await("the coalesced proposals", func() bool { return exists(from, "/a") && exists(from, "/b") })
}

// TestTransferAwaitsLeader stops a leader while no leader is known: a proposal that was forwarded to it since must
// not be lost when it ends.
func TestTransferAwaitsLeader(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, steady)
	c.settle()
	lead, from := c.leader(), c.follower()
	lead.inTurnOf(func(c *core) {
		c.transfer.begin()
		c.proposer.forward(forwarded(from.id, 1, "/a", "1"))
		if len(c.proposer.deferred.list) != 1 {
			t.Errorf("%d proposals wait for the next leader, want 1", len(c.proposer.deferred.list))
		}
		self := c.state.leader.Swap(0)
		c.tick(time.Now())
		if c.failed != nil {
			t.Errorf("the leader ends before another member leads: %v", c.failed)
		}
		c.state.leader.Store(self)
	})
	c.await("the proposal that was forwarded meanwhile", func() bool { return exists(from, "/a") })
}
