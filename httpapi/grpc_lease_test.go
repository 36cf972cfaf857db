package httpapi

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"pando/tree"
)

// stoppedClock is a LeaseClock in whose time no lease ends. It counts the renewals.
type stoppedClock struct {
	tree *tree.Store

	mu       sync.Mutex
	renewals int
}

func (c *stoppedClock) RenewLease(_ context.Context, id int64) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renewals++
	lease, _ := c.tree.View().Lease(id)
	return lease.TTL, nil
}

func (c *stoppedClock) LeaseRemaining(_ context.Context, id int64) (int64, error) {
	lease, ok := c.tree.View().Lease(id)
	if !ok {
		return -1, nil
	}
	return lease.TTL - 1, nil
}

func (*stoppedClock) MinLeaseTTL() int64 { return 2 }

// TestLease compares the responses of the Lease service with those that etcd 3.7.3 was seen to send.
func TestLease(t *testing.T) {
	f := newFixture(t, nil)
	f.log.tree.StartRevisions()
	_, conn := serveGRPC(t, f)
	ctx := t.Context()
	leases, kv := pb.NewLeaseClient(conn), pb.NewKVClient(conn)
	grant := func(id, ttl int64) *pb.LeaseGrantResponse {
		t.Helper()
		r, err := leases.LeaseGrant(ctx, &pb.LeaseGrantRequest{ID: id, TTL: ttl})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	put := func(key string, lease int64) {
		t.Helper()
		if _, err := kv.Put(ctx, &pb.PutRequest{Key: []byte(key), Value: []byte("1"), Lease: lease}); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("grant", func(t *testing.T) {
		if r := grant(7, 60); r.ID != 7 || r.TTL != 60 || r.Error != "" || r.Header.Revision != 1 {
			t.Errorf("got %v", r)
		}
		if r := grant(-8, 0); r.ID != -8 || r.TTL != 2 {
			t.Errorf("with a TTL that is too short: got %v", r)
		}
		first, second := grant(0, 60).ID, grant(0, 60).ID
		if first <= 0 || second <= 0 || first == second {
			t.Errorf("the IDs %d and %d", first, second)
		}
	})
	t.Run("a grant that fails", func(t *testing.T) {
		_, err := leases.LeaseGrant(ctx, &pb.LeaseGrantRequest{ID: 7, TTL: 60})
		expectStatus(t, err, rpctypes.ErrGRPCLeaseExist)
		_, err = leases.LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: 9_000_000_001})
		expectStatus(t, err, rpctypes.ErrGRPCLeaseTTLTooLarge)
	})
	put("a", 7)
	put("/d/b", 7)
	t.Run("time to live", func(t *testing.T) {
		r, err := leases.LeaseTimeToLive(ctx, &pb.LeaseTimeToLiveRequest{ID: 7, Keys: true})
		if err != nil || r.ID != 7 || r.TTL != 59 || r.GrantedTTL != 60 || len(r.Keys) != 2 || string(r.Keys[0]) != "/d/b" {
			t.Errorf("got %v, %v", r, err)
		}
		if r, err := leases.LeaseTimeToLive(ctx, &pb.LeaseTimeToLiveRequest{ID: 7}); err != nil || len(r.Keys) != 0 || r.GrantedTTL != 60 {
			t.Errorf("without keys: got %v, %v", r, err)
		}
		if r, err := leases.LeaseTimeToLive(ctx, &pb.LeaseTimeToLiveRequest{ID: 99}); err != nil || r.TTL != -1 || r.GrantedTTL != 0 {
			t.Errorf("of an unknown lease: got %v, %v", r, err)
		}
	})
	t.Run("leases", func(t *testing.T) {
		r, err := leases.LeaseLeases(ctx, &pb.LeaseLeasesRequest{})
		if err != nil || len(r.Leases) != 4 || !slices.ContainsFunc(r.Leases, func(l *pb.LeaseStatus) bool { return l.ID == 7 }) {
			t.Errorf("got %v, %v", r, err)
		}
	})
	t.Run("revoke", func(t *testing.T) {
		if r, err := leases.LeaseRevoke(ctx, &pb.LeaseRevokeRequest{ID: 7}); err != nil || r.Header.Revision != 4 {
			t.Errorf("got %v, %v", r, err)
		}
		if r, err := kv.Range(ctx, &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}}); err != nil || r.Count != 0 {
			t.Errorf("the keys are %v, %v", r, err)
		}
		_, err := leases.LeaseRevoke(ctx, &pb.LeaseRevokeRequest{ID: 7})
		expectStatus(t, err, rpctypes.ErrGRPCLeaseNotFound)
	})
}

// TestLeaseKeepAlive renews a lease, and one that does not exist.
func TestLeaseKeepAlive(t *testing.T) {
	f := newFixture(t, nil)
	_, conn := serveGRPC(t, f)
	leases := pb.NewLeaseClient(conn)
	if _, err := leases.LeaseGrant(t.Context(), &pb.LeaseGrantRequest{ID: 7, TTL: 60}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream, err := leases.LeaseKeepAlive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for id, ttl := range map[int64]int64{7: 60, 99: 0} {
		if err := stream.Send(&pb.LeaseKeepAliveRequest{ID: id}); err != nil {
			t.Fatal(err)
		}
		if r, err := stream.Recv(); err != nil || r.ID != id || r.TTL != ttl {
			t.Errorf("got %v, %v", r, err)
		}
	}
}
