package raft

import (
	"testing"
	"time"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

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
		"a forwarded batch in flight":           {other, inFlight(0), false, true},
		"a forwarded batch that may be lost":    {other, inFlight(time.Hour), true, true},
		"a forwarded batch, and a new leader":   {other, all(inFlight(0), (*proposer).leaderChanged), true, true},
		"a lone append in flight":               {self, appending, true, true},
		"load and an append in flight":          {self, all(heavy, appending), false, false},
		"load and a batch without an append":    {self, all(heavy, inFlight(0)), true, true},
		"load on a follower":                    {other, all(heavy, appending), true, true},
		"load on a follower, a batch in flight": {other, all(heavy, inFlight(0)), false, true},
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
