package conformance

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"pando/members/servertest"
)

// lockSide is a server whose locks and elections are used, and a record of its answers.
type lockSide struct {
	t     *testing.T
	url   string
	locks v3lockpb.LockClient
	votes v3electionpb.ElectionClient
	kv    pb.KVClient
	base  int64 // the revision before the first change
	lines []string
}

// newLockSide connects to a server and grants the leases 1 to 3.
func newLockSide(t *testing.T, url string) *lockSide {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+servertest.URLHost(url), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the test has ended
	s := &lockSide{
		t: t, url: url, locks: v3lockpb.NewLockClient(conn), votes: v3electionpb.NewElectionClient(conn), kv: pb.NewKVClient(conn),
	}
	for id := int64(1); id <= 3; id++ {
		servertest.Await(t, "the lease", func() bool {
			_, err := pb.NewLeaseClient(conn).LeaseGrant(t.Context(), &pb.LeaseGrantRequest{ID: id, TTL: 1000})
			return err == nil || strings.Contains(err.Error(), "already exists")
		})
	}
	r, err := s.kv.Range(t.Context(), &pb.RangeRequest{Key: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	s.base = r.Header.Revision
	return s
}

// add records the answer to a call.
func (s *lockSide) add(call string, header *pb.ResponseHeader, result string, err error) {
	line := call + ": "
	if err == nil {
		line += fmt.Sprintf("%s @%d", result, max(0, header.GetRevision()-s.base))
	} else {
		line += fmt.Sprintf("%s %s", status.Code(err), status.Convert(err).Message())
	}
	s.lines = append(s.lines, line)
}

func (s *lockSide) lock(ctx context.Context, lease int64) {
	r, err := s.locks.Lock(ctx, &v3lockpb.LockRequest{Name: []byte("l"), Lease: lease})
	s.add(fmt.Sprint("lock ", lease), r.GetHeader(), string(r.GetKey()), err)
}

func (s *lockSide) unlock(key string) {
	r, err := s.locks.Unlock(s.t.Context(), &v3lockpb.UnlockRequest{Key: []byte(key)})
	s.add("unlock "+key, r.GetHeader(), "", err)
}

func (s *lockSide) campaign(lease int64, value string) *v3electionpb.LeaderKey {
	r, err := s.votes.Campaign(s.t.Context(), &v3electionpb.CampaignRequest{Name: []byte("e"), Lease: lease, Value: []byte(value)})
	s.add(fmt.Sprint("campaign ", lease, value), r.GetHeader(), fmt.Sprint(string(r.GetLeader().GetKey()), r.GetLeader().GetLease()), err)
	return r.GetLeader()
}

func (s *lockSide) leader() {
	r, err := s.votes.Leader(s.t.Context(), &v3electionpb.LeaderRequest{Name: []byte("e")})
	s.add("leader", r.GetHeader(), fmt.Sprintf("%s=%s %d", r.GetKv().GetKey(), r.GetKv().GetValue(), r.GetKv().GetVersion()), err)
}

func (s *lockSide) proclaim(key *v3electionpb.LeaderKey, value string) {
	r, err := s.votes.Proclaim(s.t.Context(), &v3electionpb.ProclaimRequest{Leader: key, Value: []byte(value)})
	s.add("proclaim "+value, r.GetHeader(), "", err)
}

func (s *lockSide) resign(key *v3electionpb.LeaderKey) {
	r, err := s.votes.Resign(s.t.Context(), &v3electionpb.ResignRequest{Leader: key})
	s.add("resign", r.GetHeader(), "", err)
}

// awaitKeys waits until so many keys are in a queue.
func (s *lockSide) awaitKeys(prefix string, n int64) {
	s.t.Helper()
	servertest.Await(s.t, prefix, func() bool {
		r, err := s.kv.Range(s.t.Context(), &pb.RangeRequest{Key: []byte(prefix + "/"), RangeEnd: []byte(prefix + "0"), CountOnly: true})
		return err == nil && r.Count == n
	})
}

// playLocks uses a lock, also with etcdctl.
func (s *lockSide) playLocks(etcdctl string) {
	ctx := s.t.Context()
	s.lock(ctx, 1)
	s.lock(ctx, 1)
	s.lock(ctx, 99)
	canceled, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.lock(canceled, 2)
	}()
	s.awaitKeys("l", 2)
	cancel()
	<-done
	s.awaitKeys("l", 1)
	output := make(chan string, 1)
	command := exec.CommandContext(ctx, etcdctl, "--endpoints", s.url, "lock", "l", "echo", "locked")
	command.Env = append(command.Environ(), "ETCDCTL_API=3")
	go func() {
		text, err := command.CombinedOutput()
		output <- fmt.Sprint(string(text), err)
	}()
	s.awaitKeys("l", 2)
	s.unlock("l/1")
	s.lines = append(s.lines, <-output)
	s.awaitKeys("l", 0)
	s.unlock("l/1")
	s.unlock("")
}

// playElections uses an election.
func (s *lockSide) playElections() {
	s.leader()
	key := s.campaign(1, "a")
	s.campaign(1, "b")
	s.campaign(99, "b")
	s.leader()
	s.proclaim(key, "c")
	s.leader()
	s.proclaim(nil, "c")
	s.resign(nil)
	second := make(chan *v3electionpb.LeaderKey)
	go func() { second <- s.campaign(2, "x") }()
	s.awaitKeys("e", 2)
	_, err := s.votes.Resign(s.t.Context(), &v3electionpb.ResignRequest{Leader: key})
	next := <-second // its line must come alone
	s.add("resign", nil, "", err)
	s.proclaim(next, "y")
	s.proclaim(key, "z")
	s.leader()
}

// TestLocksV3 uses locks and elections of Pando and of etcd in the same way, and compares the answers.
func TestLocksV3(t *testing.T) {
	t.Parallel()
	eachReferenceV3(t, func(t *testing.T, r referenceV3) {
		etcdctl, err := exec.LookPath("etcdctl")
		if err != nil {
			t.Skip("etcdctl is not installed: ", err)
		}
		reference, pando := r.start(t)
		sides := []*lockSide{newLockSide(t, reference), newLockSide(t, pando)}
		for _, s := range sides {
			s.playLocks(etcdctl)
			s.playElections()
		}
		want, got := strings.Join(sides[0].lines, "\n"), strings.Join(sides[1].lines, "\n")
		if got != want {
			t.Errorf("Pando answers\n%s\netcd answers\n%s", got, want)
		}
		if !strings.Contains(want, "locked") || strings.Contains(want, codes.Unimplemented.String()) {
			t.Errorf("the answers prove nothing:\n%s", want)
		}
	})
}
