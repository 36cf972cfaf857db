package raft

import (
	"testing"
	"time"

	"pando/members"
)

// slowElections sets an election timeout that no test waits for.
func slowElections(cfg *Config) { cfg.Tick, cfg.ElectionTicks = 5*time.Millisecond, 400 }

// TestTransfereeIsConnected looks for a transferee when the only follower has just ended, and raft still counts it as
// active.
func TestTransfereeIsConnected(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, slowElections)
	c.settle()
	lead := c.leader()
	follower := c.others(lead)[0]
	lead.inTurnOf(func(c *core) {
		if transferee := members.ID(c.transfer.transferee()); transferee != follower.id {
			t.Errorf("the transferee is %v, want %v", transferee, follower.id)
		}
	})
	follower.kill()
	c.await("the end of the follower to be noticed", func() bool { return lead.node().transport.LastReceived(follower.id).IsZero() })
	lead.inTurnOf(func(c *core) {
		if transferee := members.ID(c.transfer.transferee()); transferee != 0 {
			t.Errorf("the transferee is %v, which has ended", transferee)
		}
	})
}

// TestTransfereeEnds cuts off the member to which a stopping leader transfers the leadership: the other member gets
// it, with the vote of the one that stops.
func TestTransfereeEnds(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, slowElections)
	c.settle()
	lead := c.leader()
	var transferee members.ID
	lead.inTurnOf(func(l *core) {
		transferee = members.ID(l.transfer.transferee())
		l.transfer.begin()
		c.links.setAll(transferee, cut)
	})
	for _, r := range c.others(lead) {
		if r.id != transferee {
			c.await("the other to lead", func() bool { return r.node().Leader() == r.id })
		}
	}
}
