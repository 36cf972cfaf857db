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
	lead.inTask(func(l *loop) {
		if heir := members.ID(l.heir()); heir != follower.id {
			t.Errorf("the heir is %v, want %v", heir, follower.id)
		}
	})
	follower.kill()
	c.await("the follower to be missed", func() bool { return lead.node().transport.Heard(follower.id).IsZero() })
	lead.inTask(func(l *loop) {
		if heir := members.ID(l.heir()); heir != 0 {
			t.Errorf("the heir is %v, which has gone", heir)
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
	var heir members.ID
	lead.inTask(func(l *loop) {
		heir = members.ID(l.heir())
		l.handOver()
		c.links.sever(heir, cut)
	})
	for _, r := range c.others(lead) {
		if r.id != heir {
			c.await("the other to lead", func() bool { return r.node().Leader() == r.id })
		}
	}
}
