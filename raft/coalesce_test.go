package raft

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/tree"
)

// forwarded is a proposal as a follower forwards it: a batch with one command, which sets a key.
func forwarded(from members.ID, number uint64, path, value string) *raftpb.Message {
	data := encodeBatch(batch{
		proposer: uint64(from), number: number, time: time.Now().UnixNano(),
		commands: []tree.Command{{Op: tree.OpSet, Path: path, Value: value}},
	})
	return &raftpb.Message{Type: raftpb.MsgProp.Enum(), From: (*uint64)(&from), Entries: []*raftpb.Entry{{Data: data}}}
}

// inTurnOf runs a task in a turn of a member's core, and waits for its end.
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

func exists(r *replica, path string) bool {
	_, err := r.node().Tree().View().Get(path)
	return err == nil
}

// TestCoalesce forwards proposals to a leader while an append is in flight.
func TestCoalesce(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
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
		if len(c.proposer.coalesced) != coalesces {
			t.Errorf("%d proposals are coalesced, want %d", len(c.proposer.coalesced), coalesces)
		}
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
	c := newCluster(t, 3, nil)
	c.settle()
	lead, from := c.leader(), c.follower().id
	lead.inTurnOf(func(c *core) {
		appendUnderLoad(t, c, forwarded(from, 1, "/a", "1"))
		c.proposer.forward(forwarded(from, 2, "/large", strings.Repeat("x", maxCoalesced)))
		c.proposer.forward(forwarded(from, 3, "/b", "1"))
		if len(c.proposer.coalesced) != 1 {
			t.Errorf("%d proposals are coalesced, want the small one", len(c.proposer.coalesced))
		}
	})
	c.await("all writes", func() bool { return exists(lead, "/a") && exists(lead, "/large") && exists(lead, "/b") })
}

// TestLoneWriteIsNotCoalesced forwards a lone write while another one is in flight.
func TestLoneWriteIsNotCoalesced(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
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
	c := newCluster(t, 3, nil)
	c.settle()
	lead := c.leader()
	rest := c.others(lead)
	c.isolate(lead)
	lead.inTurnOf(func(c *core) {
		appendUnderLoad(t, c, forwarded(rest[0].id, 1, "/appended", "1"))
		c.proposer.forward(forwarded(rest[0].id, 2, "/coalesced", "1"))
		if len(c.proposer.coalesced) != 1 {
			t.Errorf("%d proposals are coalesced, want 1", len(c.proposer.coalesced))
		}
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
	c := newCluster(t, 3, nil)
	c.settle()
	lead, from := c.leader(), c.follower()
	lead.inTurnOf(func(c *core) {
		appendUnderLoad(t, c, forwarded(from.id, 1, "/a", "1"))
		c.proposer.forward(forwarded(from.id, 2, "/b", "1"))
		if len(c.proposer.coalesced) != 1 {
			t.Error("nothing is coalesced")
		}
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
	c := newCluster(t, 3, nil)
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
