package raft

import (
	"testing"
	"time"

	"pando/members"
)

// patient has an election timeout that no test waits out.
func patient(cfg *Config) { cfg.Tick, cfg.ElectionTicks = 5*time.Millisecond, 400 }

// TestHeirIsThere looks for a follower to hand over to where the only one has just
// gone, and raft has yet to miss it.
func TestHeirIsThere(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, patient)
	c.settle()
	lead := c.leader()
	follower := c.others(lead)[0]
	lead.inTask(func(c *core) {
		if transferee := members.ID(c.transfer.transferee()); transferee != follower.id {
			t.Errorf("the heir is %v, want %v", transferee, follower.id)
		}
	})
	follower.kill()
	c.await("the follower to be missed", func() bool { return lead.node().transport.LastReceived(follower.id).IsZero() })
	lead.inTask(func(c *core) {
		if transferee := members.ID(c.transfer.transferee()); transferee != 0 {
			t.Errorf("the heir is %v, which has gone", transferee)
		}
	})
}

// TestHeirGoes cuts off the member that a leader hands over to when it stops: the
// other gets the place, with the vote of the one that stops.
func TestHeirGoes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, patient)
	c.settle()
	lead := c.leader()
	var transferee members.ID
	lead.inTask(func(l *core) {
		transferee = members.ID(l.transfer.transferee())
		l.transfer.begin()
		c.links.sever(transferee, cut)
	})
	for _, r := range c.others(lead) {
		if r.id != transferee {
			c.await("the other to lead", func() bool { return r.node().Leader() == r.id })
		}
	}
}
