package raft

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pando/tree"
)

func TestCleanStopHandsOver(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) { cfg.ElectionTicks, cfg.Timeout = 50, testTimeout })
	direct := 0 // transfers without another election
	for range 4 {
		old := c.leader()
		term := old.node().Term()
		rest := c.others(old)
		var group sync.WaitGroup
		group.Go(old.stop)
		fresh := c.leaderOf(rest, old)
		group.Wait()
		next := fresh.node().Term()
		if next == term+1 {
			direct++
		}
		// No member waited for an election timeout: no pre-vote was lost. A pause of the machine may cause another election.
		if _, err := fresh.trySet("/after", "1"); err != nil && (!outcomeUnknown(err) || fresh.node().Term() == next) {
			t.Error(err)
		}
		old.restart()
		c.awaitServing(old)
	}
	if direct == 0 {
		t.Error("no leadership was transferred within one term")
	}
	c.settle()
}

// leaderOf waits until the members agree on a leader other than old.
func (c *cluster) leaderOf(among []*replica, old *replica) *replica {
	c.t.Helper()
	var found *replica
	c.await("another leader", func() bool {
		found = agreed(among)
		return found != nil && found != old
	})
	return found
}

// transferTo transfers the leadership to a member, again if an election on a busy machine prevents it.
func (c *cluster) transferTo(to *replica) {
	c.t.Helper()
	c.await(fmt.Sprintf("member %d to lead", to.id), func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), clientPatience)
		defer cancel()
		return c.leader().node().TransferLeader(ctx, to.id) == nil
	})
}

func TestTransferLeader(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) {
		steady(cfg) // another election could lose writes
		cfg.Timeout = testTimeout
	})
	load := c.newPatientLoad(6, testTimeout)
	for round := range 6 {
		load.awaitMore(20)
		to := c.others(c.leader())[round%2]
		from := c.members[round%3] // the leader, the transferee or the third member
		ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
		err := from.node().TransferLeader(ctx, to.id)
		cancel()
		if err != nil {
			t.Errorf("member %d asked for %d to lead: %v", from.id, to.id, err)
		}
		c.await("the new leader", func() bool { return to.node().Leader() == to.id })
	}
	load.end()
	if n := len(load.unknown); n > 0 {
		t.Errorf("%d writes failed during transfers, although all members work", n)
	}
	load.finish()
	if err := c.members[0].node().TransferLeader(t.Context(), 99); !errors.Is(err, ErrNotMember) {
		t.Errorf("transfer to an unknown member: %v", err)
	}
	dead := c.follower()
	dead.kill()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := c.leader().node().TransferLeader(ctx, dead.id); err == nil {
		t.Error("a member that has ended leads")
	}
	if _, err := c.leader().trySet("/after", "1"); err != nil {
		t.Errorf("after a failed transfer: %v", err)
	}
}

func TestWatchersAcrossLeaders(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) { cfg.SnapshotCount = 40 })
	var watchers []*eventWatcher
	for _, r := range c.members {
		watchers = append(watchers, watch(r), watch(r))
	}
	load := c.newLoad(6)
	for i := range 6 {
		load.awaitMore(60)
		lead := c.leader()
		switch i % 3 {
		case 0:
			c.isolate(lead)
			load.awaitMore(60)
			c.links.heal()
		case 1:
			c.transferTo(c.others(lead)[0])
		case 2:
			lead.pause()
			load.awaitMore(20)
			lead.unpause()
		}
	}
	load.finish()
	last := c.members[0].node().Tree().View().Index()
	for _, w := range watchers {
		w.end(c, last)
		if w.gaps == 0 && len(w.events) != int(last-firstEvent+1) {
			t.Errorf("the watcher on %s saw %d events of %d", w.name, len(w.events), last)
		}
	}
	sameEvents(c, watchers)
}

// TestExpiryAcrossLeaders kills the leader before the TTL of a key ends: the next leader expires the key, once.
func TestExpiryAcrossLeaders(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	old := c.leader()
	const keys = 20
	attempts := uint64(0) // a key that is set again after it has expired expires again
	for i := range keys {
		due := time.Now().Add(time.Duration(300+10*i) * time.Millisecond).UnixNano()
		c.await("the outcome of a write", func() bool {
			attempts++
			_, err := old.node().Propose(t.Context(), &tree.Command{Op: tree.OpSet, Path: fmt.Sprintf("/ttl/%d", i), Value: "v", Expires: due})
			if err != nil && !outcomeUnknown(err) {
				t.Fatal(err)
			}
			return err == nil
		})
	}
	old.kill()
	c.await("all to expire", func() bool {
		for _, r := range c.running() {
			if r.node().Tree().View().NextExpiry() != 0 {
				return false
			}
		}
		return true
	})
	old.restart()
	c.awaitServing(old)
	c.settle()
	if n := old.node().Tree().View().Counters().Expired; n < keys || n > attempts {
		t.Errorf("%d keys expired, want %d after %d writes", n, keys, attempts)
	}
}
