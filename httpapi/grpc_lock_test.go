package httpapi

import (
	"context"
	"fmt"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"pando/tree"
)

// queueFixture is a fixture with a connection of gRPC and the leases 1 to 9. Its revision is 1.
type queueFixture struct {
	*fixture
	t    *testing.T
	conn *grpc.ClientConn
	kv   pb.KVClient
}

func newQueueFixture(t *testing.T) *queueFixture {
	t.Helper()
	f := newFixture(t, nil)
	f.log.tree.StartRevisions()
	_, conn := serveGRPC(t, f)
	q := &queueFixture{f, t, conn, pb.NewKVClient(conn)}
	for id := range int64(9) {
		q.apply(&tree.Command{Op: tree.OpLeaseGrant, Lease: id + 1, TTL: 60})
	}
	return q
}

func (q *queueFixture) apply(c *tree.Command) {
	q.t.Helper()
	if _, err := q.log.apply(c); err != nil {
		q.t.Fatal(err)
	}
}

// endLease ends a lease, as the leader does when its time is over.
func (q *queueFixture) endLease(id int64) {
	q.apply(&tree.Command{Op: tree.OpLeaseRevoke, Leases: []int64{id}})
}

// awaitKey waits until a key exists, or no longer exists.
func (q *queueFixture) awaitKey(key string, exists bool) {
	q.t.Helper()
	await(q.t, key, func() bool { return (q.log.tree.View().Key(key) != nil) == exists })
}

// lockResult receives the response or the error of a request that waits, as a text.
type lockResult chan string

// goLock begins to lock with a lease, and returns when the key is in the queue.
func (q *queueFixture) goLock(ctx context.Context, name string, lease int64) lockResult {
	q.t.Helper()
	done := make(lockResult, 1)
	go func() {
		r, err := v3lockpb.NewLockClient(q.conn).Lock(ctx, &v3lockpb.LockRequest{Name: []byte(name), Lease: lease})
		if err != nil {
			done <- fmt.Sprintf("%s: %s", status.Code(err), status.Convert(err).Message())
			return
		}
		done <- fmt.Sprintf("%s @%d", r.Key, r.Header.Revision)
	}()
	q.awaitKey(fmt.Sprintf("%s/%x", name, lease), true)
	return done
}

// expect waits for a result.
func (o lockResult) expect(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-o:
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("waited too long for %s", want)
	}
}

// expectNone checks that a request waits.
func (o lockResult) expectNone(t *testing.T) {
	t.Helper()
	select {
	case got := <-o:
		t.Fatalf("got %s, want none yet", got)
	default:
	}
}

// TestLock compares the responses of the Lock service with those that etcd 3.4.23 and 3.7.3 were seen to send.
func TestLock(t *testing.T) {
	q := newQueueFixture(t)
	ctx, locks := t.Context(), v3lockpb.NewLockClient(q.conn)
	unlock := func(key string) {
		t.Helper()
		if _, err := locks.Unlock(ctx, &v3lockpb.UnlockRequest{Key: []byte(key)}); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("the order of the keys", func(t *testing.T) {
		q.goLock(ctx, "a", 9).expect(t, "a/9 @2")
		q.goLock(ctx, "a", 9).expect(t, "a/9 @2") // the same lease holds it already
		second, third := q.goLock(ctx, "a", 8), q.goLock(ctx, "a", 1)
		unlock("a/9")
		second.expect(t, "a/8 @5")
		third.expectNone(t)
		unlock("a/8")
		third.expect(t, "a/1 @6")
		unlock("a/1")
	})
	t.Run("beside the keys of the client library", func(t *testing.T) {
		put := func(key string, lease int64) {
			if _, err := q.kv.Put(ctx, &pb.PutRequest{Key: []byte(key), Lease: lease}); err != nil {
				t.Fatal(err)
			}
		}
		put("/b/2", 2)
		put("/ba", 2)
		third := q.goLock(ctx, "/b", 3)
		put("/b/4", 4)
		third.expectNone(t)
		q.endLease(2)
		third.expect(t, fmt.Sprintf("/b/3 @%d", q.log.tree.View().Revision()))
		unlock("/b/3")
		unlock("/b/4")
	})
	t.Run("a request that is canceled", func(t *testing.T) {
		q.goLock(ctx, "c", 3).expect(t, fmt.Sprintf("c/3 @%d", q.log.tree.View().Revision()))
		canceled, cancel := context.WithCancel(ctx)
		second, third := q.goLock(canceled, "c", 4), q.goLock(ctx, "c", 5)
		cancel()
		second.expect(t, "Canceled: context canceled")
		q.awaitKey("c/4", false)
		third.expectNone(t)
		unlock("c/3")
		third.expect(t, fmt.Sprintf("c/5 @%d", q.log.tree.View().Revision()))
	})
	t.Run("a lease that ends in the queue", func(t *testing.T) {
		second, third := q.goLock(ctx, "c", 6), q.goLock(ctx, "c", 7)
		q.endLease(6)
		second.expect(t, "Unknown: mutex: session is expired")
		third.expectNone(t)
		q.endLease(5)
		third.expect(t, fmt.Sprintf("c/7 @%d", q.log.tree.View().Revision()))
	})
	t.Run("errors", func(t *testing.T) {
		_, err := locks.Lock(ctx, &v3lockpb.LockRequest{Name: []byte("x"), Lease: 99})
		expectStatus(t, err, status.Error(codes.Unknown, "etcdserver: requested lease not found"))
		_, err = locks.Unlock(ctx, &v3lockpb.UnlockRequest{})
		expectStatus(t, err, status.Error(codes.Unknown, "etcdserver: key is not provided"))
		unlock("nothing")
	})
}

// TestLockWithoutLease takes a lock with a lease that the server grants.
func TestLockWithoutLease(t *testing.T) {
	q := newQueueFixture(t)
	ctx, locks := t.Context(), v3lockpb.NewLockClient(q.conn)
	r, err := locks.Lock(ctx, &v3lockpb.LockRequest{Name: []byte("d")})
	if err != nil {
		t.Fatal(err)
	}
	lease := q.log.tree.View().Key(string(r.Key)).Lease()
	if want := fmt.Sprintf("d/%x", lease); string(r.Key) != want {
		t.Errorf("got %s, want %s", r.Key, want)
	}
	if l, ok := q.log.tree.View().Lease(lease); !ok || l.TTL != 60 {
		t.Errorf("the lease is %+v", l)
	}
}

// TestLockOfUser locks with the rights of a user.
func TestLockOfUser(t *testing.T) {
	a := newAuthTest(t)
	a.fixture.log.tree.StartRevisions()
	if _, err := a.fixture.log.apply(&tree.Command{Op: tree.OpLeaseGrant, Lease: 1, TTL: 60}); err != nil {
		t.Fatal(err)
	}
	a.enable()
	ann := a.login("ann", "secret")
	lock := func(ctx context.Context, name string) error {
		_, err := v3lockpb.NewLockClient(a.conn).Lock(ctx, &v3lockpb.LockRequest{Name: []byte(name), Lease: 1})
		return err
	}
	a.fails(status.Error(codes.Unknown, rpctypes.ErrorDesc(rpctypes.ErrGRPCUserEmpty)))(nil, lock(t.Context(), "/app/a"))
	a.fails(status.Error(codes.Unknown, rpctypes.ErrorDesc(rpctypes.ErrGRPCPermissionDenied)))(nil, lock(ann, "other"))
	a.must(nil, lock(ann, "/app/a"))
}

// TestLockAtShutdown ends a server while a request waits for a lock. The server does not wait for it, and its key is removed.
func TestLockAtShutdown(t *testing.T) {
	q := newQueueFixture(t)
	q.goLock(t.Context(), "a", 1).expect(t, "a/1 @2")
	waits := q.goLock(t.Context(), "a", 2)
	await(t, "the watches", func() bool { return q.log.tree.KeyWatchers() > 0 })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := q.grpc.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	waits.expect(t, "Unavailable: etcdserver: server stopped")
	q.awaitKey("a/2", false)
}
