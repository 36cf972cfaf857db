package raft

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestClusterSizes(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 3, 5} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			c := newCluster(t, size, nil)
			load := c.newLoad(4)
			load.awaitMore(100)
			load.finish()
			for _, r := range c.members {
				r.set("/by", r.name)
				for _, other := range c.members {
					if got := other.mustGet("/by"); got != r.name {
						t.Errorf("member %d reads %q after member %d wrote", other.id, got, r.id)
					}
				}
			}
		})
	}
}

func TestLeaderKilledUnderLoad(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	load := c.newLoad(8)
	for range 3 {
		load.awaitMore(50)
		old := c.leader()
		old.kill()
		load.awaitMore(50)
		if lead := c.leader(); lead == old {
			t.Fatal("a killed member leads")
		}
		old.restart()
		c.awaitServing(old)
	}
	load.finish()
}

func TestMinorityCutOff(t *testing.T) {
	t.Parallel()
	// A second until an election: a machine that is busy must not cost the leader its place.
	c := newCluster(t, 5, func(cfg *Config) { cfg.ElectionTicks, cfg.Timeout = 50, time.Second })
	load := c.newLoad(8)
	load.awaitMore(50)
	// A stall of the machine may depose the leader. A minority that disturbs the others would depose it each time.
	problem := "not tried"
	for try := 0; try < 4 && problem != ""; try++ {
		problem = c.cutMinority(load)
	}
	load.finish()
	if problem != "" {
		t.Error(problem)
	}
}

// cutMinority cuts two of five members off for a while. The other members must not notice it.
func (c *cluster) cutMinority(load *load) string {
	lead := c.leader()
	minority := c.others(lead)[:2]
	before := lead.node().Term()
	c.split(minority, append(c.others(lead)[2:], lead))
	load.awaitMore(200)
	now := lead.node().Status()
	for _, r := range minority {
		if _, err := r.get("/load"); err == nil {
			c.t.Errorf("member %d without a quorum answered a quorum read", r.id)
		}
	}
	c.links.heal()
	load.awaitMore(50)
	if now.Leader != lead.id {
		return fmt.Sprintf("the leader %d of the majority was given up for %d", lead.id, now.Leader)
	}
	if after := c.leader().node().Term(); after != before {
		return fmt.Sprintf("the minority raised the term from %d to %d", before, after)
	}
	return ""
}

// TestMajorityLost cuts all links. Writes and reads that begin then must be answered when there is a leader again.
func TestMajorityLost(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) { cfg.ElectionTicks, cfg.Timeout = 50, testTimeout/3 }) // one election must be enough
	c.members[0].set("/before", "1")
	// A pause of the machine may cause a second election, which can lose writes.
	problem := errors.New("not tried")
	for try := 0; try < 3 && problem != nil; try++ {
		problem = c.requestDuringElection()
	}
	if problem != nil {
		t.Error(problem)
	}
	c.settle()
}

// requestDuringElection cuts all links, begins a write and a read on each member, and heals the links. It returns an error if they were
// not answered in time.
func (c *cluster) requestDuringElection() error {
	c.t.Helper()
	for _, r := range c.members {
		c.isolate(r)
	}
	c.await("all to be without a leader", func() bool {
		for _, r := range c.members {
			if r.node().Leader() != 0 {
				return false
			}
		}
		return true
	})
	// Proposals wait for a leader from now on, and are answered when there is one.
	var group sync.WaitGroup
	problems := make([]error, 2*len(c.members))
	for i, r := range c.members {
		group.Go(func() {
			_, err := r.trySet(fmt.Sprintf("/during/%d", i), "2")
			problems[2*i] = r.timedOut("a write that waited for the election", err)
		})
		group.Go(func() {
			got, err := r.get("/before")
			problems[2*i+1] = r.timedOut("a read that waited for the election", err)
			if err == nil && got != "1" {
				c.t.Errorf("member %d: a read that waited for the election: %q", r.id, got)
			}
		})
	}
	c.await("all to wait", func() bool {
		for _, r := range c.members {
			if r.node().Pending() == 0 || !r.node().readers.any() {
				return false
			}
		}
		return true
	})
	c.links.heal()
	group.Wait()
	return errors.Join(problems...)
}

// timedOut returns an error if the outcome of a request is unknown. Another error of the request fails the test.
func (r *replica) timedOut(what string, err error) error {
	if err != nil && !outcomeUnknown(err) {
		r.c.t.Errorf("member %d: %s: %v", r.id, what, err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("member %d: %s: %w", r.id, what, err)
	}
	return nil
}

func TestRequestsTimeOutWithoutQuorum(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) { cfg.Timeout = 500 * time.Millisecond })
	lead := c.leader()
	for _, r := range c.others(lead) {
		r.kill()
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			start := time.Now()
			_, err := lead.trySet("/lost", "1")
			mustBeLogError(t, err)
			_, err = lead.get("/lost")
			mustBeLogError(t, err)
			if took := time.Since(start); took > testTimeout/2 {
				t.Errorf("a write and a read without a quorum took %v", took)
			}
		})
	}
	group.Wait()
}

// TestAsymmetricCut cuts single directions of links. The cluster must still serve, because the links between two members work.
func TestAsymmetricCut(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]func(c *cluster, lead, other *replica){
		"no messages from the leader to one":       func(c *cluster, lead, other *replica) { c.links.set(lead.id, other.id, cut) },
		"no messages to the leader from one":       func(c *cluster, lead, other *replica) { c.links.set(other.id, lead.id, cut) },
		"messages from the leader to one are lost": func(c *cluster, lead, other *replica) { c.links.set(lead.id, other.id, link{mute: true}) },
		"no messages from the leader":              func(c *cluster, lead, _ *replica) { c.towards(lead, cut, "from") },
		"no messages to the leader":                func(c *cluster, lead, _ *replica) { c.towards(lead, cut, "to") },
		"messages to the leader are lost":          func(c *cluster, lead, _ *replica) { c.towards(lead, link{mute: true}, "to") },
		"messages from the leader are lost":        func(c *cluster, lead, _ *replica) { c.towards(lead, link{mute: true}, "from") },
		"no messages from a follower":              func(c *cluster, _, other *replica) { c.towards(other, cut, "from") },
		"no messages to a follower":                func(c *cluster, _, other *replica) { c.towards(other, cut, "to") },
		"messages from a follower are lost":        func(c *cluster, _, other *replica) { c.towards(other, link{mute: true}, "from") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, 3, func(cfg *Config) { cfg.Timeout = time.Second / 2 })
			lead := c.leader()
			load := c.newLoad(6)
			load.awaitMore(20)
			way(c, lead, c.others(lead)[0])
			load.awaitMore(100)
			c.links.heal()
			load.awaitMore(20)
			load.finish()
		})
	}
}

// towards sets the state of one direction of all links of a member.
func (c *cluster) towards(r *replica, state link, direction string) {
	for _, other := range c.others(r) {
		if direction == "from" {
			c.links.set(r.id, other.id, state)
		} else {
			c.links.set(other.id, r.id, state)
		}
	}
}

// TestServesCaughtUp starts a follower that has missed writes: when it serves, its tree has them.
func TestServesCaughtUp(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	for round := range 5 {
		late := c.follower()
		late.kill()
		lead := c.leader()
		var missed uint64
		for i := range 200 {
			missed = lead.set("/key", fmt.Sprint(round, i)).Index()
		}
		late.restart()
		c.awaitServing(late)
		if has := late.node().Tree().View().Index(); has < missed {
			t.Errorf("round %d: it serves index %d, when %d was acknowledged before it started", round, has, missed)
		}
	}
}

// TestIsolatedLeader writes to a leader that has lost its quorum: it must not acknowledge the writes, and must not
// answer a quorum read from its old state.
func TestIsolatedLeader(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]link{"cut": cut, "silent": {mute: true}} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 3, func(cfg *Config) { cfg.Timeout = time.Second })
			old := c.leader()
			old.set("/key", "old")
			for _, r := range c.others(old) {
				c.links.set(old.id, r.id, state)
				c.links.set(r.id, old.id, state)
			}
			lost := c.newLoad(4, old)
			fresh := c.leader(c.others(old)...)
			fresh.set("/key", "new")
			if got, err := old.get("/key"); err == nil {
				t.Errorf("the old leader answered a quorum read with %q", got)
			}
			served := c.newLoad(4, c.others(old)...)
			served.awaitMore(100)
			lost.end()
			if n := lost.count(); n != 0 {
				t.Errorf("the isolated leader acknowledged %d writes", n)
			}
			c.links.heal()
			served.finish()
			if got := old.mustGet("/key"); got != "new" {
				t.Errorf("the old leader reads %q", got)
			}
		})
	}
}

// TestPausedLeader pauses the leader's core, has another member elected, and unpauses the old leader: reads and
// writes that reach it before it learns of the election get the new state or an error.
func TestPausedLeader(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	for round := range 3 {
		old := c.leader()
		old.set("/key", "old")
		old.pause()
		var group sync.WaitGroup
		answers := make(chan string, 64)
		read := func() {
			if got, err := old.get("/key"); err == nil {
				answers <- got
			}
		}
		fresh := c.leader(c.others(old)...)
		want := fmt.Sprint("new", round)
		fresh.set("/key", want)
		for range 8 { // reads that begin after the write was acknowledged
			group.Go(read)
		}
		old.unpause()
		for range 8 {
			group.Go(read)
		}
		group.Wait()
		close(answers)
		for got := range answers {
			if got != want {
				t.Errorf("a paused leader answered a quorum read with %q, want %q", got, want)
			}
		}
		c.settle()
	}
}

func TestFullRestart(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*replica){"stopped": (*replica).stop, "killed": (*replica).kill} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 3, func(cfg *Config) { cfg.SnapshotCount = 50 })
			load := c.newLoad(6)
			for range 3 {
				load.awaitMore(100)
				var group sync.WaitGroup
				for _, r := range c.members {
					group.Go(func() { end(r) })
				}
				group.Wait()
				for _, r := range c.members {
					r.restart()
				}
				c.awaitServing(c.members...)
			}
			load.awaitMore(20)
			load.finish()
		})
	}
}

// TestDroppedMessages loses, delays and reorders messages on all links: no forwarded proposal is applied twice, and
// nothing that was acknowledged is lost.
func TestDroppedMessages(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]link{
		"drop":  {drop: 10},
		"swap":  {swap: 20},
		"delay": {delay: 2 * time.Millisecond},
		"all":   {drop: 3, swap: 10, delay: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 3, func(cfg *Config) { cfg.Timeout = time.Second })
			c.disturb(state)
			load := c.newLoad(6, c.others(c.leader())...)
			load.awaitMore(200)
			c.links.heal()
			load.finish()
		})
	}
}

// TestFlappingLinks breaks the connections again and again while followers forward proposals.
func TestFlappingLinks(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) { cfg.Timeout = time.Second })
	load := c.newLoad(12, c.others(c.leader())...)
	for i := range 10 {
		from, to := c.members[i%3], c.members[(i+1+i/3%2)%3]
		c.links.set(from.id, to.id, cut)
		load.awaitMore(30)
		c.links.heal()
		load.awaitMore(10)
	}
	load.finish()
}
