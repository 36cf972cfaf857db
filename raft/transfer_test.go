package raft

import (
	"testing"
	"time"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"

	"pando/members"
)

// slowElections sets an election timeout that no test waits for.
func slowElections(cfg *Config) { cfg.Tick, cfg.ElectionTicks = 5*time.Millisecond, 1000 }

// activeFollowers is the number of followers that raft counts as active.
func (c *core) activeFollowers() (active int) {
	c.raw.WithProgress(func(id uint64, _ etcdraft.ProgressType, p tracker.Progress) {
		if id != uint64(c.state.id) && p.RecentActive {
			active++
		}
	})
	return active
}

// TestTransfereeIsConnected looks for a transferee when the only follower has just ended, and raft still counts it as
// active.
func TestTransfereeIsConnected(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, slowElections)
	c.settle()
	lead := c.leader()
	follower := c.others(lead)[0]
	c.await("the follower to be the transferee", func() (found bool) {
		lead.inTurnOf(func(c *core) { found = members.ID(c.transfer.transferee()) == follower.id })
		return found
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
	c.await("both followers to be active", func() bool {
		lead.inTurnOf(func(l *core) {
			if l.activeFollowers() < 2 {
				return // once in an election timeout, raft counts none as active until the next heartbeat
			}
			transferee = members.ID(l.transfer.transferee())
			l.transfer.begin()
			c.links.setAll(transferee, cut)
		})
		return transferee != 0
	})
	for _, r := range c.others(lead) {
		if r.id != transferee {
			c.await("the other to lead", func() bool { return r.node().Leader() == r.id })
		}
	}
}
