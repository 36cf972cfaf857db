package faulttest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"pando/members/servertest"
)

// TestLearner adds a member by the v3 API as a learner. It must stay one until it is promoted, serve only serializable reads, and not be
// promoted before it has caught up.
func TestLearner(t *testing.T) {
	t.Parallel()
	servertest.SkipShort(t, "it starts four members")
	all := servertest.NewMembers(t, "a", "b", "c", "d")
	running := servertest.LaunchCluster(t, all[:3])
	l := &learner{t: t, ctx: t.Context()}
	for _, p := range running {
		l.voters = append(l.voters, newMixedMember(t, p.Client))
	}
	servertest.NewKeyClient(t, running[0].Client).Must(t, http.MethodPut, "/k", servertest.Form("value", "v"))
	added, err := l.voters[1].cluster.MemberAdd(t.Context(), &pb.MemberAddRequest{PeerURLs: []string{all[3].PeerURL()}, IsLearner: true})
	if err != nil || !added.Member.IsLearner {
		t.Fatalf("added %v: %v", added, err)
	}
	l.id = added.Member.ID
	var asking sync.WaitGroup
	for i, m := range l.voters { // one of them leads
		asking.Go(func() {
			_, err := m.cluster.MemberPromote(t.Context(), &pb.MemberPromoteRequest{ID: l.id})
			l.want(fmt.Sprintf("promotion by member %d of a learner that has not started", i), err, rpctypes.ErrGRPCLearnerNotReady)
		})
	}
	asking.Wait()
	_, err = l.voters[0].cluster.MemberAdd(t.Context(), &pb.MemberAddRequest{PeerURLs: []string{"http://127.0.0.1:1"}, IsLearner: true})
	l.want("a second learner", err, rpctypes.ErrGRPCTooManyLearners)

	start := func() *servertest.Process {
		p := all[3].StartPando(t, "--initial-cluster", servertest.InitialCluster(all), "--initial-cluster-state", "existing")
		p.AwaitServing()
		return p
	}
	p := start()
	l.self = newMixedMember(t, p.Client)
	l.serves()
	p.Kill()
	start()
	l.serves()
	if l.listed(l.voters[0]) {
		t.Error("the learner has a vote, and nobody has promoted it")
	}
	attempts := 0
	servertest.Await(t, "the promotion", func() bool { // a learner that has just started may be behind
		attempts++
		_, err := l.voters[2].cluster.MemberPromote(t.Context(), &pb.MemberPromoteRequest{ID: l.id})
		promoted := status.Convert(err).Message() == status.Convert(rpctypes.ErrGRPCMemberNotLearner).Message()
		return err == nil || attempts > 1 && promoted // by an attempt that timed out
	})
	if !l.listed(l.voters[2]) {
		t.Error("the promoted member is listed as a learner")
	}
	_, err = l.voters[0].cluster.MemberPromote(t.Context(), &pb.MemberPromoteRequest{ID: l.id})
	l.want("a second promotion", err, rpctypes.ErrGRPCMemberNotLearner)
	servertest.Await(t, "the new voter to serve linearizable reads", func() bool {
		r, err := l.self.kv.Range(t.Context(), &pb.RangeRequest{Key: []byte("/k")})
		return err == nil && r.Count == 1
	})
}

// learner is a cluster with a learner.
type learner struct {
	t      *testing.T
	ctx    context.Context
	voters []*mixedMember
	self   *mixedMember // the learner
	id     uint64
}

func (l *learner) want(what string, err, want error) {
	l.t.Helper()
	if status.Code(err) != status.Code(want) || status.Convert(err).Message() != status.Convert(want).Message() {
		l.t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// listed reports whether a member lists the learner as one with a vote.
func (l *learner) listed(at *mixedMember) (voter bool) {
	l.t.Helper()
	var r *pb.MemberListResponse
	servertest.Await(l.t, "a list of the members", func() bool {
		var err error
		r, err = at.cluster.MemberList(l.ctx, &pb.MemberListRequest{Linearizable: true})
		return err == nil
	})
	return slices.ContainsFunc(r.Members, func(m *pb.Member) bool { return m.ID == l.id && !m.IsLearner })
}

// serves waits until the learner has the keys, and checks what it serves. It takes longer than the leader would need to promote it.
func (l *learner) serves() {
	l.t.Helper()
	servertest.Await(l.t, "the learner to have the keys", func() bool {
		r, err := l.self.kv.Range(l.ctx, &pb.RangeRequest{Key: []byte("/k"), Serializable: true}, grpc.WaitForReady(true))
		return err == nil && r.Count == 1
	})
	for since := time.Now(); time.Since(since) < 500*time.Millisecond; <-time.After(50 * time.Millisecond) {
		state, err := l.self.maintenance.Status(l.ctx, &pb.StatusRequest{})
		if err != nil || !state.IsLearner {
			l.t.Fatalf("status %v: %v", state, err)
		}
	}
	refused := rpctypes.ErrGRPCNotSupportedForLearner
	_, err := l.self.kv.Range(l.ctx, &pb.RangeRequest{Key: []byte("/k")})
	l.want("a linearizable read", err, refused)
	_, err = l.self.kv.Put(l.ctx, &pb.PutRequest{Key: []byte("/k"), Value: []byte("w")})
	l.want("a put", err, refused)
	_, err = l.self.cluster.MemberList(l.ctx, &pb.MemberListRequest{})
	l.want("a list of members", err, refused)
	stream, err := l.self.watch.Watch(l.ctx)
	if err == nil {
		_, err = stream.Recv()
	}
	l.want("a watch", err, refused)
}
