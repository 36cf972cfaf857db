package raft

import (
	"context"
	"fmt"
	"testing"

	"pando/tree"
)

// newLeaseCluster starts a cluster at the level at which there are leases.
func newLeaseCluster(t *testing.T) *cluster {
	c := newCluster(t, 3, func(cfg *Config) { cfg.pinnedLevel = new(uint64(tree.KVLevel)) })
	c.awaitLevel(tree.KVLevel)
	return c
}

// remaining returns how long a lease has left. It asks again while the cluster has no leader.
func (r *replica) remaining(id int64) (ttl int64) {
	r.c.t.Helper()
	r.c.await(fmt.Sprintf("member %d to answer for lease %d", r.id, id), func() bool {
		var err error
		ttl, err = r.node().LeaseRemaining(context.Background(), id)
		return err == nil
	})
	return ttl
}

// revoke revokes a lease that exists, again while the outcome is unknown.
func (r *replica) revoke(id int64) {
	r.c.t.Helper()
	attempts := 0
	r.c.await(fmt.Sprintf("the end of lease %d", id), func() bool {
		attempts++
		_, err := r.node().Propose(context.Background(), &tree.Command{Op: tree.OpLeaseRevoke, Leases: []int64{id}})
		if err != nil && !outcomeUnknown(err) && (attempts == 1 || codeOf(err) != tree.CodeLeaseNotFound) {
			r.c.t.Errorf("member %d revokes lease %d: %v", r.id, id, err)
		}
		return !outcomeUnknown(err)
	})
}

// TestUnknownLease asks each member about a lease that does not exist.
func TestUnknownLease(t *testing.T) {
	t.Parallel()
	c := newLeaseCluster(t)
	for _, r := range c.members {
		if ttl := r.renew(99); ttl != 0 {
			t.Errorf("member %d renewed an unknown lease for %d s", r.id, ttl)
		}
		if left := r.remaining(99); left != -1 {
			t.Errorf("member %d says that %d s are left of an unknown lease", r.id, left)
		}
	}
	if ttl := c.leader().node().MinLeaseTTL(); ttl != 1 {
		t.Errorf("a lease has at least %d s with an election timeout of 300 ms", ttl)
	}
}

// TestLeasesNeedTheLevel asks for leases in a cluster with a member of an older version.
func TestLeasesNeedTheLevel(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, older("m3"))
	for _, r := range c.members {
		if ttl, err := r.node().RenewLease(t.Context(), 1); err == nil {
			t.Errorf("member %d renewed a lease for %d s", r.id, ttl)
		}
	}
}
