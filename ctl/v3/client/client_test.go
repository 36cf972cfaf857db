package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// fake is a server whose answers a test chooses.
type fake struct {
	pb.UnimplementedKVServer
	pb.UnimplementedAuthServer
	pb.UnimplementedLeaseServer
	pb.UnimplementedWatchServer

	mu     sync.Mutex
	calls  []string                                                 // the names of the calls, with the token of each
	answer func(call int) error                                     // the outcome of a call, by its number; nil: success
	ttl    []int64                                                  // of the renewals, in their order
	watch  func(stream int, request *pb.WatchCreateRequest) []int64 // the revisions of the events, after which the stream breaks
	starts []int64                                                  // the start revisions of the watches
}

// note records a call, and returns its error.
func (f *fake) note(ctx context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	token := ""
	if md, _ := metadata.FromIncomingContext(ctx); len(md.Get(rpctypes.TokenFieldNameGRPC)) > 0 {
		token = " " + md.Get(rpctypes.TokenFieldNameGRPC)[0]
	}
	f.calls = append(f.calls, name+token)
	if f.answer == nil {
		return nil
	}
	return f.answer(len(f.calls))
}

// count returns the number of calls.
func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls)
}

func (f *fake) Range(ctx context.Context, _ *pb.RangeRequest) (*pb.RangeResponse, error) {
	return &pb.RangeResponse{}, f.note(ctx, "Range")
}

func (f *fake) Put(ctx context.Context, _ *pb.PutRequest) (*pb.PutResponse, error) {
	return &pb.PutResponse{}, f.note(ctx, "Put")
}

func (f *fake) Authenticate(ctx context.Context, _ *pb.AuthenticateRequest) (*pb.AuthenticateResponse, error) {
	err := f.note(ctx, "Authenticate")
	f.mu.Lock()
	defer f.mu.Unlock()
	return &pb.AuthenticateResponse{Token: fmt.Sprintf("t%d", len(f.calls))}, err
}

func (f *fake) LeaseKeepAlive(stream pb.Lease_LeaseKeepAliveServer) error {
	for {
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		f.mu.Lock()
		ttl := f.ttl[0]
		f.ttl = f.ttl[1:]
		f.mu.Unlock()
		if ttl < 0 {
			return status.Error(codes.Unavailable, "gone")
		}
		if err := stream.Send(&pb.LeaseKeepAliveResponse{ID: r.ID, TTL: ttl}); err != nil {
			return err
		}
	}
}

func (f *fake) Watch(stream pb.Watch_WatchServer) error {
	r, err := stream.Recv()
	if err != nil {
		return err
	}
	f.mu.Lock()
	request := r.GetCreateRequest()
	f.starts = append(f.starts, request.StartRevision)
	revisions := f.watch(len(f.starts), request)
	f.mu.Unlock()
	header := &pb.ResponseHeader{Revision: 10}
	if err := stream.Send(&pb.WatchResponse{Header: header, Created: true}); err != nil {
		return err
	}
	for _, revision := range revisions {
		event := &mvccpb.Event{Kv: &mvccpb.KeyValue{Key: []byte("k"), ModRevision: revision}}
		if err := stream.Send(&pb.WatchResponse{Header: header, Events: []*mvccpb.Event{event}}); err != nil {
			return err
		}
	}
	return status.Error(codes.Unavailable, "gone")
}

// serve serves a fake, and returns the server and its address.
func serve(t *testing.T, f *fake) (*grpc.Server, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterKVServer(server, f)
	pb.RegisterAuthServer(server, f)
	pb.RegisterLeaseServer(server, f)
	pb.RegisterWatchServer(server, f)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return server, listener.Addr().String()
}

// connect serves a fake and returns a client of it.
func connect(t *testing.T, f *fake, config Config) *Client {
	t.Helper()
	_, address := serve(t, f)
	config.Endpoints = []string{address}
	return newClient(t, config)
}

func newClient(t *testing.T, config Config) *Client {
	t.Helper()
	cl, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cl.Close() })
	return cl
}

// TestFailover stops one of two endpoints: the calls go to the other one, and none fails.
func TestFailover(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	fakes := [2]fake{}
	var servers [2]*grpc.Server
	var endpoints [2]string
	for i := range fakes {
		servers[i], endpoints[i] = serve(t, &fakes[i])
	}
	cl := newClient(t, Config{Endpoints: endpoints[:]})
	read := func() {
		t.Helper()
		if _, err := cl.KV.Range(ctx, &pb.RangeRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	for fakes[0].count() == 0 || fakes[1].count() == 0 {
		read()
	}
	servers[0].Stop()
	before := fakes[1].count()
	for range 10 {
		read()
	}
	if _, err := cl.KV.Put(ctx, &pb.PutRequest{}); err != nil {
		t.Error(err)
	}
	if n := fakes[1].count() - before; n != 11 {
		t.Errorf("the other endpoint got %d of 11 calls", n)
	}
}

// TestRepeatedCalls checks which calls are repeated after a member was not available.
func TestRepeatedCalls(t *testing.T) {
	first := func(call int) error {
		if call == 1 {
			return rpctypes.ErrGRPCNoLeader
		}
		return nil
	}
	f := &fake{answer: first}
	if _, err := connect(t, f, Config{}).KV.Range(t.Context(), &pb.RangeRequest{}); err != nil || len(f.calls) != 2 {
		t.Errorf("a read: %v, %q", err, f.calls)
	}
	f = &fake{answer: first}
	if _, err := connect(t, f, Config{}).KV.Put(t.Context(), &pb.PutRequest{}); !errors.Is(err, rpctypes.ErrNoLeader) || len(f.calls) != 1 {
		t.Errorf("a write: %v, %q", err, f.calls)
	}
}

// TestTokenRenewed checks that a refused token leads to one login and one more attempt, also of a write: it was not executed.
func TestTokenRenewed(t *testing.T) {
	f := &fake{answer: func(call int) error {
		if call == 2 {
			return rpctypes.ErrGRPCInvalidAuthToken
		}
		return nil
	}}
	cl := connect(t, f, Config{User: "u", Password: "p"})
	if _, err := cl.KV.Put(t.Context(), &pb.PutRequest{}); err != nil {
		t.Error(err)
	}
	if want := []string{"Authenticate", "Put t1", "Authenticate", "Put t3"}; !slices.Equal(f.calls, want) {
		t.Errorf("the calls were %q, want %q", f.calls, want)
	}
}

// TestWatchResumes breaks the streams of a watch: each new one starts at the revision after the last event.
func TestWatchResumes(t *testing.T) {
	f := &fake{watch: func(stream int, _ *pb.WatchCreateRequest) []int64 {
		return [][]int64{{}, {11, 12}, {}, {13}}[(stream-1)%4]
	}}
	w := connect(t, f, Config{}).NewWatcher(t.Context())
	if _, err := w.Add(&pb.WatchCreateRequest{Key: []byte("k")}); err != nil {
		t.Fatal(err)
	}
	for want := int64(11); want <= 13; want++ {
		r, err := w.Next()
		if err != nil || len(r.Events) != 1 || r.Events[0].Kv.ModRevision != want {
			t.Fatalf("%v, %v, want the event of revision %d", r, err, want)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if want := []int64{0, 11, 13, 13}; !slices.Equal(f.starts[:4], want) {
		t.Errorf("the streams started at %d, want %d", f.starts, want)
	}
}

// TestKeepAlive renews a lease over a lost stream, until the server says that it has ended.
func TestKeepAlive(t *testing.T) {
	f := &fake{ttl: []int64{1, -1, 1, 0}}
	renewals := 0
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := connect(t, f, Config{}).KeepAlive(ctx, 7, func(*pb.LeaseKeepAliveResponse) { renewals++ })
	if !errors.Is(err, rpctypes.ErrLeaseNotFound) || renewals != 2 {
		t.Errorf("%v after %d renewals", err, renewals)
	}
}
