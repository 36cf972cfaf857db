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

// forwarded is a proposal as a follower forwards it: a batch of one that sets a key.
func forwarded(from members.ID, number uint64, path, value string) *raftpb.Message {
	data := encodeBatch(batch{
		proposer: uint64(from), number: number, time: time.Now().UnixNano(),
		commands: []tree.Command{{Op: tree.OpSet, Path: path, Value: value}},
	})
	return &raftpb.Message{Type: raftpb.MsgProp.Enum(), From: (*uint64)(&from), Entries: []*raftpb.Entry{{Data: data}}}
}

// inTask runs something on a member's loop and waits for its end.
func (r *replica) inTask(do task) {
	r.c.t.Helper()
	done := make(chan struct{})
	r.node().inbox.post(func(c *core) { defer close(done); do(c) })
	<-done
}

// appendUnderLoad leaves an append of the leader on its way, as if under load.
func appendUnderLoad(t *testing.T, c *core, m *raftpb.Message) {
	c.proposer.load.applied = 1 << 10 // the batches of this test are small, and end the load
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

// TestGather forwards proposals to a leader while an append is on its way.
func TestGather(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	c.settle()
	lead, from := c.leader(), c.follower().id
	before := lead.node().Tree().View().Index()
	const gathers, beyond = 4, 3
	value := strings.Repeat("x", maxCoalesced/gathers-512)
	lead.inTask(func(c *core) {
		appendUnderLoad(t, c, forwarded(from, 1, "/0", "1"))
		last := c.state.lastIndex
		for i := range gathers + beyond {
			c.proposer.forward(forwarded(from, uint64(2+i), fmt.Sprintf("/%d", 1+i), value))
		}
		if len(c.proposer.coalesced) != gathers {
			t.Errorf("%d proposals gather, want %d", len(c.proposer.coalesced), gathers)
		}
		c.handle(c.raw.Ready())
		if c.state.lastIndex != last+beyond {
			t.Errorf("raft got %d proposals, want the %d for which there was no room", c.state.lastIndex-last, beyond)
		}
		c.proposer.proposeCoalescedIfDue()
		if len(c.proposer.coalesced) != gathers {
			t.Error("raft got what gathers, while the append was still on its way")
		}
	})
	c.await("all that was proposed", func() bool {
		for i := range 1 + gathers + beyond {
			if !exists(lead, fmt.Sprintf("/%d", i)) {
				return false
			}
		}
		return true
	})
	c.settle()
	if made := lead.node().Tree().View().Index() - before; made != 1+gathers+beyond {
		t.Errorf("%d writes were made of %d", made, 1+gathers+beyond)
	}
}

// TestLargeNeverGathers forwards a large batch and a small one while an append is on its way.
func TestLargeNeverGathers(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	c.settle()
	lead, from := c.leader(), c.follower().id
	lead.inTask(func(c *core) {
		appendUnderLoad(t, c, forwarded(from, 1, "/a", "1"))
		c.proposer.forward(forwarded(from, 2, "/large", strings.Repeat("x", maxCoalesced)))
		c.proposer.forward(forwarded(from, 3, "/b", "1"))
		if len(c.proposer.coalesced) != 1 {
			t.Errorf("%d proposals gather, want the small one", len(c.proposer.coalesced))
		}
	})
	c.await("all writes", func() bool { return exists(lead, "/a") && exists(lead, "/large") && exists(lead, "/b") })
}

// TestLoneWriteNeverGathers forwards a lone write while another is on its way.
func TestLoneWriteNeverGathers(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	c.settle()
	lead, from := c.leader(), c.follower().id
	lead.inTask(func(c *core) {
		appendUnderLoad(t, c, forwarded(from, 1, "/a", "1"))
		c.proposer.load.heavy.Store(false)
		c.proposer.forward(forwarded(from, 2, "/b", "1"))
		if len(c.proposer.coalesced) != 0 || !c.raw.HasReady() {
			t.Error("a write waits for another's commit without load")
		}
	})
	c.await("both writes", func() bool { return exists(lead, "/a") && exists(lead, "/b") })
}

// TestGatheredOutlivesLeadership takes the leadership from a member that holds gathered proposals: the next leader gets
// them.
func TestGatheredOutlivesLeadership(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	c.settle()
	lead := c.leader()
	rest := c.others(lead)
	c.isolate(lead)
	lead.inTask(func(c *core) {
		appendUnderLoad(t, c, forwarded(rest[0].id, 1, "/appended", "1"))
		c.proposer.forward(forwarded(rest[0].id, 2, "/gathered", "1"))
		if len(c.proposer.coalesced) != 1 {
			t.Errorf("%d proposals gather, want 1", len(c.proposer.coalesced))
		}
	})
	c.leaderOf(rest, lead)
	rest[0].set("/others", "1")
	c.links.heal()
	c.await("the gathered proposal", func() bool { return exists(rest[0], "/gathered") })
	c.settle()
	if exists(rest[0], "/appended") {
		t.Error("the next leader has what only the old one had appended")
	}
}

// TestGatheredBeforeHandOver stops a leader while a proposal gathers: it must be in
// the log that the next leader has.
func TestGatheredBeforeHandOver(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	c.settle()
	lead, from := c.leader(), c.follower()
	lead.inTask(func(c *core) {
		appendUnderLoad(t, c, forwarded(from.id, 1, "/a", "1"))
		c.proposer.forward(forwarded(from.id, 2, "/b", "1"))
		if len(c.proposer.coalesced) != 1 {
			t.Error("nothing gathers")
		}
		c.transfer.begin()
		if len(c.proposer.coalesced) != 0 || len(c.proposer.deferred.list) != 0 {
			t.Error("what gathers is not in the log of the leader that goes")
		}
	})
	c.await("what had gathered", func() bool { return exists(from, "/a") && exists(from, "/b") })
}

// TestHandOverAwaitsLeader looks at a leader that stops while nobody is known to
// lead: what was forwarded to it since must not end with it.
func TestHandOverAwaitsLeader(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	c.settle()
	lead, from := c.leader(), c.follower()
	lead.inTask(func(c *core) {
		c.transfer.begin()
		c.proposer.forward(forwarded(from.id, 1, "/a", "1"))
		if len(c.proposer.deferred.list) != 1 {
			t.Errorf("%d proposals wait for the next leader, want 1", len(c.proposer.deferred.list))
		}
		self := c.state.leader.Swap(0)
		c.tick(time.Now())
		if c.failed != nil {
			t.Errorf("the leader ends before there is another: %v", c.failed)
		}
		c.state.leader.Store(self)
	})
	c.await("what was forwarded meanwhile", func() bool { return exists(from, "/a") })
}
