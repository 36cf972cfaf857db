package raft

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"pando/tree"
)

// grant grants a lease, again while the outcome is unknown.
func (r *replica) grant(id, ttl int64) {
	r.c.t.Helper()
	r.c.await(fmt.Sprintf("the grant of lease %d", id), func() bool {
		_, err := r.node().Propose(context.Background(), &tree.Command{Op: tree.OpLeaseGrant, Lease: id, TTL: ttl})
		e, isTree := errors.AsType[*tree.Error](err)
		return err == nil || isTree && e.Code == tree.CodeLeaseExists
	})
}

// renew renews a lease, again while the cluster has no leader.
func (r *replica) renew(id int64) (ttl int64) {
	r.c.t.Helper()
	r.c.await(fmt.Sprintf("member %d to renew lease %d", r.id, id), func() bool {
		var err error
		ttl, err = r.node().RenewLease(context.Background(), id)
		return err == nil
	})
	return ttl
}

func (r *replica) hasLease(id int64) bool {
	_, ok := r.node().Tree().View().Lease(id)
	return ok
}

// awaitNoLease waits until no running member has the lease.
func (c *cluster) awaitNoLease(id int64) {
	c.t.Helper()
	c.await(fmt.Sprintf("the end of lease %d", id), func() bool {
		for _, r := range c.running() {
			if r.hasLease(id) {
				return false
			}
		}
		return true
	})
}

// TestLeases grants leases, renews them on each member, and lets them end.
func TestLeases(t *testing.T) {
	t.Parallel()
	c := newLeaseCluster(t)
	t.Run("ends after its time", func(t *testing.T) {
		start := time.Now()
		c.members[1].grant(1, 1)
		c.awaitNoLease(1)
		if after := time.Since(start); after < time.Second {
			t.Errorf("a lease of one second ended after %v", after)
		}
	})
	t.Run("renewed on any member", func(t *testing.T) {
		c.leader().grant(2, 30)
		for _, r := range c.members {
			if ttl := r.renew(2); ttl != 30 {
				t.Errorf("member %d renewed it for %d s", r.id, ttl)
			}
			if left := r.remaining(2); left > 30 || left < 1 {
				t.Errorf("member %d says that %d s are left", r.id, left)
			}
		}
	})
	t.Run("revoked and granted again", func(t *testing.T) {
		r := c.follower()
		r.grant(3, 30)
		r.revoke(3)
		if ttl := r.renew(3); ttl != 0 {
			t.Errorf("a revoked lease was renewed for %d s", ttl)
		}
		r.grant(3, 40)
		if ttl := r.renew(3); ttl != 40 {
			t.Errorf("the second lease was renewed for %d s", ttl)
		}
	})
	c.settle()
}

// TestLeasesAcrossLeaders checks that a new leader, and a cluster that starts again, give each lease its full time to live.
func TestLeasesAcrossLeaders(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for leases to end")
	}
	t.Parallel()
	c := newLeaseCluster(t)
	end := func(what string, change func() time.Time) {
		c.await("a change before the lease ends", func() bool { return c.endLease(what, change) })
	}
	end("the leader was killed", func() time.Time {
		old := c.leader()
		old.kill()
		killed := time.Now()
		c.leader(c.running()...)
		old.restart()
		return killed
	})
	end("all members were killed", func() time.Time {
		c.killAll()
		killed := time.Now()
		for _, r := range c.members {
			r.restart()
		}
		c.awaitServing(c.members...)
		return killed
	})
	end("the leadership was transferred", func() time.Time {
		c.transferTo(c.follower())
		return time.Now()
	})
	c.settle()
}

// endLease grants a lease of a second, changes the leader after half of this time, and waits for the end of the lease. The lease must
// last a second from the change on. change returns a time at which the earlier leader could no longer end the lease. On a busy machine
// the lease may have ended before: then endLease returns false, and proves nothing.
func (c *cluster) endLease(what string, change func() time.Time) bool {
	c.t.Helper()
	const ttl = time.Second
	before := time.Now()
	c.leader().grant(1, 1)
	<-time.After(ttl / 2)
	begun := time.Now()
	if change().Sub(before) >= ttl {
		c.awaitNoLease(1)
		return false
	}
	c.awaitNoLease(1)
	if after := time.Since(begun); after < ttl {
		c.t.Errorf("%s: the lease ended after %v", what, after)
	}
	return true
}

// TestLeaseRemovalOfAFormerLeader has a leader propose to remove a lease, and cuts its links before the entry is committed. The
// next leader may have the entry or not. If it renews the lease, the entry must not remove it afterwards.
func TestLeaseRemovalOfAFormerLeader(t *testing.T) {
	t.Parallel()
	for name, cutLinks := range map[string]func(c *cluster, lead *replica){
		"the followers do not have the entry": func(c *cluster, lead *replica) { c.isolate(lead) },
		"the followers have the entry": func(c *cluster, lead *replica) {
			for _, r := range c.others(lead) {
				c.links.set(r.id, lead.id, link{mute: true})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newLeaseCluster(t)
			lead := c.leader()
			lead.grant(1, 1)
			rest := c.others(lead)
			renewed := make(chan time.Time, 1)
			lead.inTurnOf(func(core *core) {
				cutLinks(c, lead)
				core.leases.table.update(func(l *leaseDeadlines, now time.Duration) {
					if d := l.byID[1]; d != nil {
						d.ends, d.next = now, now
					}
				})
				core.leases.proposeDue()
			})
			go func() {
				start := time.Now()
				if rest[0].renew(1) == 0 {
					start = time.Time{}
				}
				renewed <- start
			}()
			start := <-renewed
			for !start.IsZero() && time.Since(start) < 900*time.Millisecond {
				if err := rest[1].node().Barrier(t.Context()); err == nil && !rest[1].hasLease(1) && time.Since(start) < time.Second {
					t.Fatalf("the lease was renewed, and ended after %v", time.Since(start))
				}
				<-time.After(clusterTick)
			}
			c.links.heal()
			c.awaitNoLease(1)
			c.settle()
		})
	}
}

// TestIsolatedLeaderRenewsNothing asks a leader that has lost the other members, and does not know it yet.
func TestIsolatedLeaderRenewsNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) {
		steady(cfg)
		cfg.pinnedLevel = new(uint64(tree.KVLevel))
	})
	c.awaitLevel(tree.KVLevel)
	lead := c.leader()
	lead.grant(1, 100)
	c.isolate(lead)
	ctx, cancel := context.WithTimeout(t.Context(), 20*clusterTick)
	defer cancel()
	if ttl, err := lead.node().RenewLease(ctx, 1); err == nil {
		t.Errorf("it renewed the lease for %d s", ttl)
	}
	if !lead.node().state.leads() {
		t.Skip("the machine is so slow that the leader has lost its place")
	}
}

// TestLeaseGrantedAgain has a removal in the log behind the commands that revoke the lease and grant another one with its ID.
func TestLeaseGrantedAgain(t *testing.T) {
	t.Parallel()
	c := newLeaseCluster(t)
	lead := c.leader()
	lead.grant(1, 100)
	done := false
	lead.inTurnOf(func(core *core) {
		p := core.proposer
		data := tree.AppendCommand(p.beginBatch(100), &tree.Command{Op: tree.OpLeaseRevoke, Leases: []int64{1}})
		data = tree.AppendCommand(data, &tree.Command{Op: tree.OpLeaseGrant, Lease: 1, TTL: 200})
		err := p.sendOnce(data)
		core.leases.table.update(func(l *leaseDeadlines, now time.Duration) {
			l.remove(1)
			l.grant(1, 0, mustLease(core.tree.View(), 1).Granted, now)
		})
		core.leases.proposeDue()
		done = err == nil && core.leases.proposed != 0
	})
	if !done {
		t.Skip("the leader has changed")
	}
	c.await("the second lease", func() bool {
		for _, r := range c.members {
			if l, _ := r.node().Tree().View().Lease(1); l.TTL != 200 {
				return false
			}
		}
		return true
	})
	c.await("the removal to be applied", func() (applied bool) {
		lead.inTurnOf(func(core *core) { applied = core.leases.proposed == 0 })
		return applied
	})
	for _, r := range c.members {
		if ttl := r.renew(1); ttl != 200 {
			t.Errorf("member %d renewed the second lease for %d s", r.id, ttl)
		}
	}
	c.settle()
}

func mustLease(v *tree.View, id int64) tree.Lease {
	l, ok := v.Lease(id)
	if !ok {
		panic("no lease")
	}
	return l
}

// leaseHolder renews one lease on changing members, sometimes too late. It checks that the lease exists for its whole time after each
// renewal that was acknowledged.
type leaseHolder struct {
	c       *cluster
	id      int64
	random  *rand.Rand
	renewed int
	ended   int
}

const holderTTL = 1

// run holds the lease until stop is closed. It grants the lease again when it has ended.
func (h *leaseHolder) run(stop <-chan struct{}) {
	acknowledged := time.Time{} // the call of the last successful renewal
	for !closed(stop) {
		node := h.c.members[h.random.IntN(len(h.c.members))].up.Load()
		if node == nil {
			<-time.After(clusterTick)
			continue
		}
		call := time.Now()
		ttl, err := node.RenewLease(context.Background(), h.id)
		switch {
		case err != nil:
			continue
		case ttl == holderTTL:
			acknowledged = call
			h.renewed++
		default:
			h.checkEnd(acknowledged, "a renewal")
			h.ended++
			acknowledged = h.grantAgain(node)
		}
		h.hold(acknowledged)
	}
}

// grantAgain grants the lease, and returns when it was called; zero if the outcome is unknown.
func (h *leaseHolder) grantAgain(node *Node) time.Time {
	call := time.Now()
	if _, err := node.Propose(context.Background(), &tree.Command{Op: tree.OpLeaseGrant, Lease: h.id, TTL: holderTTL}); err != nil {
		return time.Time{}
	}
	return call
}

// hold waits until about the end of the lease. Meanwhile linearizable reads must find it.
func (h *leaseHolder) hold(acknowledged time.Time) {
	until := time.Now().Add(time.Duration(h.random.IntN(1100)) * time.Millisecond)
	for time.Now().Before(until) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		if node := h.c.members[h.random.IntN(len(h.c.members))].up.Load(); node != nil && node.Barrier(ctx) == nil {
			if _, ok := node.Tree().View().Lease(h.id); !ok {
				h.checkEnd(acknowledged, "a read")
			}
		}
		cancel()
		<-time.After(clusterTick)
	}
}

func (h *leaseHolder) checkEnd(acknowledged time.Time, by string) {
	if after := time.Since(acknowledged); after < holderTTL*time.Second {
		h.c.t.Errorf("%s finds that lease %d ended %v after it was renewed for %d s", by, h.id, after, holderTTL)
	}
}

// TestLeasesUnderFaults keeps leases while leaders change, members are killed and links are cut.
func TestLeasesUnderFaults(t *testing.T) {
	t.Parallel()
	c := newLeaseCluster(t)
	holders := make([]*leaseHolder, 8)
	stop := make(chan struct{})
	var group sync.WaitGroup
	for i := range holders {
		h := &leaseHolder{c: c, id: int64(i + 1), random: rand.New(rand.NewPCG(uint64(i), 5))}
		holders[i] = h
		group.Go(func() { h.run(stop) })
	}
	for i := range rounds() + 1 {
		<-time.After(400 * time.Millisecond)
		lead := c.leader()
		switch i % 4 {
		case 0:
			c.transferTo(c.others(lead)[0])
		case 1:
			c.isolate(lead)
			c.leaderOf(c.others(lead), lead)
			c.links.heal()
		case 2:
			lead.kill()
			c.leader()
			lead.restart()
			c.awaitServing(lead)
		case 3:
			lead.pause()
			<-time.After(time.Second)
			lead.unpause()
		}
	}
	close(stop)
	group.Wait()
	renewed, ended := 0, 0
	for _, h := range holders {
		renewed += h.renewed
		ended += h.ended
	}
	t.Logf("%d renewals, %d leases ended", renewed, ended)
	if renewed == 0 || ended == 0 {
		t.Errorf("%d renewals, %d leases ended", renewed, ended)
	}
	c.settle()
}
