package raft

import (
	"testing"
	"time"
)

// TestEndedLeaderIsReplaced kills a leader: its followers must not wait for the election timeout.
func TestEndedLeaderIsReplaced(t *testing.T) {
	t.Parallel()
	// The followers campaign two ticks after each other. With shorter ticks they campaign at the same time on a busy machine,
	// and split the votes.
	const tick, ticks = 200 * time.Millisecond, 100
	c := newCluster(t, 3, func(cfg *Config) { cfg.Tick, cfg.ElectionTicks = tick, ticks })
	took := c.replaceLeader()
	// On a busy machine two followers may campaign at once all the same.
	for try := 0; try < 2 && took > ticks*tick*3/4; try++ {
		took = c.replaceLeader()
	}
	if took > ticks*tick*3/4 {
		t.Errorf("the followers took %v to replace the leader, as if no follower had noticed its end", took)
	}
}

// replaceLeader kills the leader and starts it again when another member leads. It returns the time until then.
func (c *cluster) replaceLeader() time.Duration {
	c.t.Helper()
	old := c.leader()
	rest := c.others(old)
	rest[0].set("/before", "1")
	killed, ended := time.Now(), make(chan struct{})
	go func() {
		defer close(ended)
		old.kill()
	}()
	c.leaderOf(rest, old)
	took := time.Since(killed)
	for _, r := range rest {
		r.set("/after", "1")
	}
	<-ended
	old.restart()
	c.awaitServing(old)
	return took
}

// TestLostStreamKeepsLeader breaks the stream from a leader to one of its followers: the leader stays.
func TestLostStreamKeepsLeader(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) {
		steady(cfg)
		cfg.Timeout = testTimeout
	})
	leader := c.leader()
	term := leader.node().Term()
	follower := c.others(leader)[0]
	for range 3 {
		c.links.set(leader.id, follower.id, cut)
		c.await("the follower to forget the leader", func() bool { return follower.node().Leader() == 0 })
		leader.set("/key", "1")
		c.links.heal()
		if _, err := follower.trySet("/key", "2"); err != nil { // it waits until there is a leader again
			t.Error(err)
		}
	}
	if now := leader.node().Status(); now.Leader != leader.id || now.Term != term {
		t.Errorf("member %d leads in term %d, before it was %d in %d", now.Leader, now.Term, leader.id, term)
	}
	c.settle()
}

// TestFormerLeaderEnds lets a follower learn at the same time that the leader has transferred the leadership and that
// it has ended: the follower must follow the new leader.
func TestFormerLeaderEnds(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, steady)
	former := c.leader()
	next, follower := c.others(former)[0], c.others(former)[1]
	follower.pause()
	c.await("the new leader", func() bool {
		err := former.node().TransferLeader(t.Context(), next.id)
		if err != nil && !outcomeUnknown(err) {
			t.Fatal(err)
		}
		return next.node().Leader() == next.id
	})
	former.stop()
	n := follower.node()
	c.await("the end of the former leader to be noticed", func() bool { return n.transport.LastReceived(former.id).IsZero() })
	// The core handles all messages in one turn, and then this task.
	forgot := make(chan bool, 1)
	n.inbox.post(func(c *core) { forgot <- c.elections.campaign.isSet() })
	follower.unpause()
	if <-forgot {
		t.Error("the follower forgot the new leader when the former one ended")
	}
}
