package raft

import (
	"testing"

	"pando/tree"
)

// newLeaseCluster starts a cluster at the level at which there are leases.
func newLeaseCluster(t *testing.T) *cluster {
	c := newCluster(t, 3, func(cfg *Config) { cfg.pinnedLevel = new(uint64(tree.KVLevel)) })
	c.awaitLevel(tree.KVLevel)
	return c
}

// TestUnknownLease asks each member about a lease that does not exist.
func TestUnknownLease(t *testing.T) {
	t.Parallel()
	c := newLeaseCluster(t)
	for _, r := range c.members {
		if ttl, err := r.node().RenewLease(t.Context(), 99); err != nil || ttl != 0 {
			t.Errorf("member %d renewed an unknown lease for %d s, %v", r.id, ttl, err)
		}
		if left, err := r.node().LeaseRemaining(t.Context(), 99); err != nil || left != -1 {
			t.Errorf("member %d says that %d s are left of an unknown lease, %v", r.id, left, err)
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
