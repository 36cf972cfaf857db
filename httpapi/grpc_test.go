package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"pando/members"
	"pando/stats"
)

// dialGRPC returns a connection of a client of gRPC to an address.
func dialGRPC(t *testing.T, address string, c credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the test has ended
	return conn
}

// serveGRPC serves a fixture and returns a connection to it.
func serveGRPC(t *testing.T, f *fixture) (*Server, *grpc.ClientConn) {
	t.Helper()
	s, url := startServer(t, f, f.grpc)
	return s, dialGRPC(t, strings.TrimPrefix(url, "http://"), insecure.NewCredentials())
}

// expectStatus checks the code and the text of an error.
func expectStatus(t *testing.T, got, want error) {
	t.Helper()
	g, w := status.Convert(got), status.Convert(want)
	if g.Code() != w.Code() || g.Message() != w.Message() {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestGRPC(t *testing.T) {
	f := newFixture(t, nil)
	f.do("PUT", "/v2/keys/a", "value=1")
	_, conn := serveGRPC(t, f)
	ctx := t.Context()
	t.Run("Status", func(t *testing.T) {
		r, err := pb.NewMaintenanceClient(conn).Status(ctx, &pb.StatusRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if r.Version != stats.V3APILevel || r.Leader != 1 || r.RaftTerm != 7 || r.Header.MemberId != 1 || r.Header.ClusterId != 0xc1 ||
			r.Header.Revision == 0 || len(r.Errors) > 0 {
			t.Errorf("got %v", r)
		}
	})
	t.Run("MemberList", func(t *testing.T) {
		r, err := pb.NewClusterClient(conn).MemberList(ctx, &pb.MemberListRequest{Linearizable: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Members) != 1 || r.Members[0].Name != "one" || len(r.Members[0].ClientURLs) != 1 || r.Header.Revision != 0 {
			t.Errorf("got %v", r)
		}
	})
	t.Run("an unknown service", func(t *testing.T) {
		err := conn.Invoke(ctx, "/nothing.Here/Method", &pb.StatusRequest{}, &pb.StatusResponse{})
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("got %v", err)
		}
	})
	t.Run("health", func(t *testing.T) {
		r, err := health.NewHealthClient(conn).Check(ctx, &health.HealthCheckRequest{})
		if err != nil || r.Status != health.HealthCheckResponse_SERVING {
			t.Errorf("got %v, %v", r, err)
		}
		_, err = health.NewHealthClient(conn).Check(ctx, &health.HealthCheckRequest{Service: "x"})
		expectStatus(t, err, status.Error(codes.NotFound, "unknown service"))
	})
	t.Run("a request that is too large", func(t *testing.T) {
		urls := []string{strings.Repeat("x", 2<<20)}
		_, err := pb.NewClusterClient(conn).MemberAdd(ctx, &pb.MemberAddRequest{PeerURLs: urls})
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("got %v", err)
		}
	})
	t.Run("HTTP on the same port", func(t *testing.T) {
		resp, err := http.Get("http://" + strings.TrimPrefix(conn.Target(), "passthrough:///") + "/v2/keys/a")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // only the status counts
		if resp.StatusCode != http.StatusOK {
			t.Errorf("got %s", resp.Status)
		}
	})
	f.awaitMetric(t, `grpc_server_handled_total{grpc_code="OK",grpc_method="Status",`+
		`grpc_service="etcdserverpb.Maintenance",grpc_type="unary"} 1`)
}

// TestGRPCMembership checks the errors of changes of the membership.
func TestGRPCMembership(t *testing.T) {
	for name, c := range map[string]struct {
		cluster error
		urls    []string
		want    error
	}{
		"bad URLs":        {nil, []string{"x"}, rpctypes.ErrGRPCMemberBadURLs},
		"no URLs":         {nil, nil, rpctypes.ErrGRPCMemberBadURLs},
		"URL exists":      {members.ErrPeerURLExists, []string{"http://h:1"}, rpctypes.ErrGRPCPeerURLExist},
		"no member":       {members.ErrIDNotFound, []string{"http://h:1"}, rpctypes.ErrGRPCMemberNotFound},
		"removed":         {members.ErrIDRemoved, []string{"http://h:1"}, rpctypes.ErrGRPCMemberNotFound},
		"unhealthy":       {members.ErrUnhealthy, []string{"http://h:1"}, rpctypes.ErrGRPCUnhealthy},
		"not enough":      {members.ErrNotEnoughMembers, []string{"http://h:1"}, rpctypes.ErrGRPCMemberNotEnoughStarted},
		"another problem": {errors.New("a problem"), []string{"http://h:1"}, status.Error(codes.Unknown, "a problem")},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(cfg *MemberConfig) { cfg.Service.Cluster = fixedCluster{c.cluster} })
			_, conn := serveGRPC(t, f)
			cluster := pb.NewClusterClient(conn)
			_, err := cluster.MemberAdd(t.Context(), &pb.MemberAddRequest{PeerURLs: c.urls})
			expectStatus(t, err, c.want)
			_, err = cluster.MemberUpdate(t.Context(), &pb.MemberUpdateRequest{ID: 2, PeerURLs: c.urls})
			expectStatus(t, err, c.want)
			if c.cluster == nil {
				return
			}
			_, err = cluster.MemberRemove(t.Context(), &pb.MemberRemoveRequest{ID: 2})
			expectStatus(t, err, c.want)
			_, err = cluster.MemberPromote(t.Context(), &pb.MemberPromoteRequest{ID: 2})
			expectStatus(t, err, c.want)
		})
	}
}

func TestGRPCMoveLeader(t *testing.T) {
	f := newFixture(t, nil)
	_, conn := serveGRPC(t, f)
	maintenance := pb.NewMaintenanceClient(conn)
	if _, err := maintenance.MoveLeader(t.Context(), &pb.MoveLeaderRequest{TargetID: 1}); err != nil {
		t.Error(err)
	}
	_, err := maintenance.MoveLeader(t.Context(), &pb.MoveLeaderRequest{TargetID: 2})
	expectStatus(t, err, rpctypes.ErrGRPCBadLeaderTransferee)
	f.log.leaderless = true
	_, err = maintenance.MoveLeader(t.Context(), &pb.MoveLeaderRequest{TargetID: 1})
	expectStatus(t, err, rpctypes.ErrGRPCNotLeader)
}

// TestGRPCAlarm reaches the quota.
func TestGRPCAlarm(t *testing.T) {
	f := newFixture(t, func(cfg *MemberConfig) { cfg.Service.QuotaBytes = 10 })
	_, conn := serveGRPC(t, f)
	maintenance := pb.NewMaintenanceClient(conn)
	expect := func(n int) {
		t.Helper()
		r, err := maintenance.Alarm(t.Context(), &pb.AlarmRequest{})
		if err != nil || len(r.Alarms) != n || n > 0 && (r.Alarms[0].Alarm != pb.AlarmType_NOSPACE || r.Alarms[0].MemberID != 1) {
			t.Errorf("got %v, %v, want %d alarms", r, err, n)
		}
		status, err := maintenance.Status(t.Context(), &pb.StatusRequest{})
		if err != nil || len(status.Errors) != n || status.DbSizeQuota != 10 {
			t.Errorf("got %v, %v, want %d errors", status, err, n)
		}
	}
	expect(0)
	f.do("PUT", "/v2/keys/a", "value=01234567890")
	expect(1)
	if _, err := maintenance.Alarm(t.Context(), &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE}); err != nil {
		t.Error(err)
	}
	expect(1) // its cause lasts
	f.do("DELETE", "/v2/keys/a", "")
	expect(0)
	if _, err := maintenance.Alarm(t.Context(), &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE}); status.Code(err) != codes.Unimplemented {
		t.Errorf("got %v", err)
	}
}

// TestGRPCLeader loses the leader. Requests with the metadata hasleader get an error, and streams with it end.
func TestGRPCLeader(t *testing.T) {
	f := newFixture(t, func(cfg *MemberConfig) { cfg.ElectionTimeout = 10 * time.Millisecond })
	f.log.leaderless = true
	_, conn := serveGRPC(t, f)
	strict := metadata.AppendToOutgoingContext(t.Context(), rpctypes.MetadataRequireLeaderKey, rpctypes.MetadataHasLeader)
	cluster := pb.NewClusterClient(conn)
	_, err := cluster.MemberList(strict, &pb.MemberListRequest{})
	expectStatus(t, err, rpctypes.ErrGRPCNoLeader)
	if _, err := cluster.MemberList(t.Context(), &pb.MemberListRequest{}); err != nil {
		t.Error(err)
	}
	if _, err := watchHealth(t, strict, conn); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream begins: %v", err)
	}
}

// watchHealth begins a stream and returns it after its first message.
func watchHealth(t *testing.T, ctx context.Context, conn *grpc.ClientConn) (health.Health_WatchClient, error) {
	t.Helper()
	stream, err := health.NewHealthClient(conn).Watch(ctx, &health.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	return stream, err
}

// TestGRPCShutdown ends streams, one of which has a client that could still send requests, and lets a request end.
func TestGRPCShutdown(t *testing.T) {
	f := newFixture(t, nil)
	s, conn := serveGRPC(t, f)
	stream, err := watchHealth(t, t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	renewals, err := pb.NewLeaseClient(conn).LeaseKeepAlive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := renewals.Send(&pb.LeaseKeepAliveRequest{ID: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := renewals.Recv(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	_, err = stream.Recv()
	expectStatus(t, err, rpctypes.ErrGRPCStopped)
	_, err = renewals.Recv()
	expectStatus(t, err, rpctypes.ErrGRPCStopped)
	_, err = pb.NewMaintenanceClient(conn).Status(ctx, &pb.StatusRequest{})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("after Shutdown: %v", err)
	}
}

// TestGRPCLimit uses up the limit of requests in flight.
func TestGRPCLimit(t *testing.T) {
	f := newFixture(t, func(cfg *MemberConfig) { cfg.Limits = NewLimits(1, 1, cfg.Metrics) })
	_, conn := serveGRPC(t, f)
	if !f.Limits.requests.Begin() {
		t.Fatal("the limit is reached")
	}
	_, err := pb.NewMaintenanceClient(conn).Status(t.Context(), &pb.StatusRequest{})
	expectStatus(t, err, rpctypes.ErrGRPCRequestTooManyRequests)
	f.Limits.requests.End()
	if _, err := pb.NewMaintenanceClient(conn).Status(t.Context(), &pb.StatusRequest{}); err != nil {
		t.Error(err)
	}
}
