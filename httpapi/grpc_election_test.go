package httpapi

import (
	"context"
	"fmt"
	"testing"

	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// goCampaign begins to campaign for the election e with a lease, and returns when the key is in the queue.
func (q *queueFixture) goCampaign(ctx context.Context, lease int64, value string) lockResult {
	q.t.Helper()
	done := make(lockResult, 1)
	go func() {
		r, err := v3electionpb.NewElectionClient(q.conn).Campaign(ctx, &v3electionpb.CampaignRequest{
			Name: []byte("e"), Lease: lease, Value: []byte(value),
		})
		if err != nil {
			done <- fmt.Sprintf("%s: %s", status.Code(err), status.Convert(err).Message())
			return
		}
		done <- fmt.Sprintf("%s %s %d %d @%d", r.Leader.Name, r.Leader.Key, r.Leader.Lease, r.Leader.Rev, r.Header.Revision)
	}()
	q.awaitKey(fmt.Sprintf("e/%x", lease), true)
	return done
}

// TestElection compares the responses of the Election service with those that etcd 3.4.23 and 3.7.3 were seen to send.
func TestElection(t *testing.T) {
	q := newQueueFixture(t)
	ctx, elections := t.Context(), v3electionpb.NewElectionClient(q.conn)
	leader := func() string {
		r, err := elections.Leader(ctx, &v3electionpb.LeaderRequest{Name: []byte("e")})
		if err != nil {
			return fmt.Sprintf("%s: %s", status.Code(err), status.Convert(err).Message())
		}
		return fmt.Sprintf("%s=%s @%d", r.Kv.Key, r.Kv.Value, r.Header.Revision)
	}
	expectLeader := func(want string) {
		t.Helper()
		if got := leader(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	key := func(lease, revision int64) *v3electionpb.LeaderKey {
		return &v3electionpb.LeaderKey{Name: []byte("e"), Key: fmt.Appendf(nil, "e/%x", lease), Rev: revision, Lease: lease}
	}
	expectLeader("Unknown: election: no leader")
	observed := q.observe()
	t.Run("the order of the keys", func(t *testing.T) {
		q.goCampaign(ctx, 9, "a").expect(t, "e e/9 9 2 @2")
		observed.expect(t, "e/9=a @2")
		q.goCampaign(ctx, 9, "a").expect(t, "e e/9 9 2 @2")
		q.goCampaign(ctx, 9, "b").expect(t, "e e/9 9 2 @2") // the header is that before the change of the value
		observed.expect(t, "e/9=b @3")
		expectLeader("e/9=b @3")
	})
	t.Run("a new value", func(t *testing.T) {
		r, err := elections.Proclaim(ctx, &v3electionpb.ProclaimRequest{Leader: key(9, 2), Value: []byte("c")})
		if err != nil || r.Header.Revision != 4 {
			t.Errorf("got %v, %v", r, err)
		}
		observed.expect(t, "e/9=c @4")
		_, err = elections.Proclaim(ctx, &v3electionpb.ProclaimRequest{Leader: key(9, 3), Value: []byte("d")})
		expectStatus(t, err, status.Error(codes.Unknown, "election: not leader"))
	})
	t.Run("resignation", func(t *testing.T) {
		second := q.goCampaign(ctx, 8, "x") // revision 5
		if r, err := elections.Resign(ctx, &v3electionpb.ResignRequest{Leader: key(9, 7)}); err != nil || r.Header.Revision != 5 {
			t.Errorf("of a key that was made at another revision: got %v, %v", r, err)
		}
		second.expectNone(t)
		if r, err := elections.Resign(ctx, &v3electionpb.ResignRequest{Leader: key(9, 2)}); err != nil || r.Header.Revision != 6 {
			t.Errorf("got %v, %v", r, err)
		}
		second.expect(t, "e e/8 8 5 @5")
		observed.expect(t, "e/8=x @6")
	})
	t.Run("requests that end in the queue", func(t *testing.T) {
		canceled, cancel := context.WithCancel(ctx)
		second, third := q.goCampaign(canceled, 7, "y"), q.goCampaign(ctx, 6, "z") // revisions 7 and 8
		cancel()
		second.expect(t, "Canceled: context canceled")
		q.awaitKey("e/7", false)
		q.endLease(6)
		third.expect(t, "Unknown: election: not leader")
		q.endLease(8)
		expectLeader("Unknown: election: no leader")
		q.goCampaign(ctx, 5, "v").expect(t, "e e/5 5 12 @12")
		observed.expect(t, "e/5=v @12")
	})
}

// TestElectionErrors compares the errors of invalid requests with those that etcd 3.4.23 and 3.7.3 were seen to send.
func TestElectionErrors(t *testing.T) {
	q := newQueueFixture(t)
	ctx, elections := t.Context(), v3electionpb.NewElectionClient(q.conn)
	missing := status.Error(codes.Unknown, `"leader" field must be provided`)
	_, err := elections.Proclaim(ctx, &v3electionpb.ProclaimRequest{})
	expectStatus(t, err, missing)
	_, err = elections.Resign(ctx, &v3electionpb.ResignRequest{})
	expectStatus(t, err, missing)
	_, err = elections.Campaign(ctx, &v3electionpb.CampaignRequest{Lease: 99})
	expectStatus(t, err, status.Error(codes.Unknown, "etcdserver: requested lease not found"))
}

// observe observes the election e. The channel receives all responses.
func (q *queueFixture) observe() lockResult {
	q.t.Helper()
	stream, err := v3electionpb.NewElectionClient(q.conn).Observe(q.t.Context(), &v3electionpb.LeaderRequest{Name: []byte("e")})
	if err != nil {
		q.t.Fatal(err)
	}
	responses := make(lockResult, 100)
	go func() {
		for {
			r, err := stream.Recv()
			if err != nil {
				return
			}
			responses <- fmt.Sprintf("%s=%s @%d", r.Kv.Key, r.Kv.Value, r.Header.Revision)
		}
	}()
	await(q.t, "the watch", func() bool { return q.log.tree.KeyWatchers() > 0 })
	return responses
}
