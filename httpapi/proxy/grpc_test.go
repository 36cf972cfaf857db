package proxy

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"pando/httpapi"
)

// grpcMember is a member that serves the health service alone. It records the metadata of the last request.
type grpcMember struct {
	health *health.Server
	md     chan metadata.MD
	url    string
}

func newGRPCMember(t *testing.T) *grpcMember {
	t.Helper()
	l := listen(t)
	m := &grpcMember{health: health.NewServer(), md: make(chan metadata.MD, 100), url: "http://" + l.Addr().String()}
	server := grpc.NewServer(grpc.UnaryInterceptor(
		func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			md, _ := metadata.FromIncomingContext(ctx)
			m.md <- md
			_ = grpc.SetTrailer(ctx, metadata.Pairs("trailer", "t")) // a test expects it
			return next(ctx, r)
		}))
	healthpb.RegisterHealthServer(server, m.health)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return m
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// dialProxy serves gRPC for a proxy of members and returns a connection to it.
func dialProxy(t *testing.T, change func(*Config), urls ...string) (*GRPC, healthpb.HealthClient) {
	t.Helper()
	p := startProxy(t, newCluster(t, urls...), change)
	g := p.NewGRPC(httpapi.GRPCLimits{})
	l := listen(t)
	go func() { _ = g.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = g.Shutdown(ctx) // the test has ended
	})
	conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the test has ended
	return g, healthpb.NewHealthClient(conn)
}

func TestGRPC(t *testing.T) {
	m := newGRPCMember(t)
	_, client := dialProxy(t, nil, m.url)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "token", "secret")
	var trailer metadata.MD
	r, err := client.Check(ctx, &healthpb.HealthCheckRequest{}, grpc.Trailer(&trailer))
	if err != nil || r.Status != healthpb.HealthCheckResponse_SERVING || len(trailer["trailer"]) != 1 {
		t.Errorf("got %v, %v, trailer %v", r, err, trailer)
	}
	md := <-m.md
	if md["token"][0] != "secret" || md["x-forwarded-for"][0] != "127.0.0.1" || md["via"][0] != "2 pando" {
		t.Errorf("the member gets %v", md)
	}
	if _, err := client.Check(ctx, &healthpb.HealthCheckRequest{Service: "x"}); status.Code(err) != codes.NotFound {
		t.Errorf("an error of the member becomes %v", err)
	}
}

// TestGRPCGzip sends compressed messages, one of which is too long after its decompression. It is too long without compression, too.
func TestGRPCGzip(t *testing.T) {
	m := newGRPCMember(t)
	_, client := dialProxy(t, nil, m.url)
	compressed := grpc.UseCompressor("gzip")
	r, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}, compressed)
	if err != nil || r.Status != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("got %v, %v", r, err)
	}
	long := &healthpb.HealthCheckRequest{Service: strings.Repeat("x", requestOverhead+1)}
	_, err = client.Check(t.Context(), long, compressed)
	if status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "--max-request-bytes") {
		t.Errorf("a long message: %v", err)
	}
	if _, err = client.Check(t.Context(), long); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a long message that is not compressed: %v", err)
	}
}

// TestGRPCStream passes a stream on until Shutdown.
func TestGRPCStream(t *testing.T) {
	m := newGRPCMember(t)
	g, client := dialProxy(t, nil, m.url)
	stream, err := client.Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		r, err := stream.Recv()
		if err != nil || r.Status != want {
			t.Fatalf("got %v, %v, want %v", r, err, want)
		}
	}
	expect(healthpb.HealthCheckResponse_SERVING)
	m.health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	expect(healthpb.HealthCheckResponse_NOT_SERVING)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := g.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("after Shutdown: %v", err)
	}
}

// TestGRPCFailover uses members that can't be reached before one that can.
func TestGRPCFailover(t *testing.T) {
	urls := []string{newGRPCMember(t).url}
	for range 4 {
		l := listen(t)
		urls = append(urls, "http://"+l.Addr().String())
		_ = l.Close() // nothing was accepted
	}
	_, client := dialProxy(t, nil, urls...)
	for range 3 {
		if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
			t.Error(err)
		}
	}
	_, client = dialProxy(t, nil, urls[1:]...)
	if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("without a member: %v", err)
	}
}

func TestGRPCReadOnly(t *testing.T) {
	_, client := dialProxy(t, func(c *Config) { c.Mode = ReadOnly }, newGRPCMember(t).url)
	if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Error(err)
	}
	delete(readMethods, healthpb.Health_Check_FullMethodName)
	defer func() { readMethods[healthpb.Health_Check_FullMethodName] = true }()
	if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("a method that writes: %v", err)
	}
}
