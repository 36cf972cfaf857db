package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"pando/members/servertest"
)

// kvTimeout bounds one request.
const kvTimeout = 20 * time.Second

// kvSide is one of the two servers of a pair. Only one goroutine may use it.
type kvSide struct {
	url     string // of the HTTP API
	conn    *grpc.ClientConn
	kv      pb.KVClient
	lease   pb.LeaseClient
	watches *kvWatches
	now     int64 // the last revision in a header
}

// kvPair is etcd and Pando. Only one goroutine may use it.
type kvPair struct {
	version   string // of etcd
	etcd      *kvSide
	pando     *kvSide
	pastWatch bool       // a watch was created since settle that begins in the past
	settled   int        // how often the running sequence has waited for all events
	events    int        // that the last sequence has compared
	fired     []string   // that the last sequence has used
	compacted []int64    // the revisions of all compactions
	diverged  bool       // a sequence has failed, so the histories differ
	code      codes.Code // of the last response of Pando
}

// newKVPair starts an etcd and a Pando.
func newKVPair(t *testing.T, version, program string, etcdFlags ...string) *kvPair {
	t.Helper()
	start := func(m servertest.Member, t testing.TB, flags ...string) *servertest.Process {
		more := []string{"--log-level", "error", "--logger", "zap"}
		if version != "3.4" {
			more = []string{"--log-level", "error", "--unsafe-no-fsync"}
		}
		return m.StartCommand(t, exec.Command(program, m.Flags(slices.Concat(flags, more, etcdFlags)...)...))
	}
	p := &kvPair{version: version, etcd: newKVSide(t, start), pando: newKVSide(t, servertest.Member.StartPando)}
	for _, s := range []*kvSide{p.etcd, p.pando} { // so that no relative revision is negative
		if err := s.putUntil(t.Context(), relativeRevisions); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func newKVSide(t *testing.T, start servertest.Launcher) *kvSide {
	t.Helper()
	m := servertest.NewMembers(t, "default")[0]
	start(m, t, "--initial-cluster", servertest.InitialCluster([]servertest.Member{m}))
	conn, err := grpc.NewClient("passthrough:///"+m.Client, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &kvSide{url: m.ClientURL(), conn: conn, kv: pb.NewKVClient(conn), lease: pb.NewLeaseClient(conn)}
	servertest.Await(t, "the server to serve the v3 API", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte("a")}, grpc.WaitForReady(true))
		return err == nil
	})
	return s
}

// fill returns a request with the revisions of this server in place of the relative ones.
func (s *kvSide) fill(request proto.Message) proto.Message {
	filled := proto.Clone(request)
	eachRevision(filled.ProtoReflect(), func(relative int64) int64 { return s.now + relative })
	return filled
}

// do sends a request, and waits for its response. A watch has none: the errors of requests for watches come later.
func (s *kvSide) do(ctx context.Context, request proto.Message) (proto.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, kvTimeout)
	defer cancel()
	switch r := s.fill(request).(type) {
	case *pb.RangeRequest:
		return response(s.kv.Range(ctx, r))
	case *pb.PutRequest:
		return response(s.kv.Put(ctx, r))
	case *pb.DeleteRangeRequest:
		return response(s.kv.DeleteRange(ctx, r))
	case *pb.TxnRequest:
		return response(s.kv.Txn(ctx, r))
	case *pb.CompactionRequest:
		return response(s.kv.Compact(ctx, r))
	case *pb.LeaseGrantRequest:
		return response(s.lease.LeaseGrant(ctx, r))
	case *pb.LeaseRevokeRequest:
		return response(s.lease.LeaseRevoke(ctx, r))
	case *pb.LeaseTimeToLiveRequest:
		return response(s.lease.LeaseTimeToLive(ctx, r))
	case *pb.LeaseLeasesRequest:
		return response(s.lease.LeaseLeases(ctx, r))
	case *pb.LeaseKeepAliveRequest:
		stream, err := s.lease.LeaseKeepAlive(ctx)
		if err == nil {
			err = stream.Send(r)
		}
		if err != nil {
			return nil, err
		}
		return response(stream.Recv())
	case *pb.WatchCreateRequest:
		return nil, s.watches.create(r)
	case *pb.WatchCancelRequest:
		return nil, s.watches.cancel(r)
	}
	return nil, fmt.Errorf("no method for %T", request)
}

// response returns nil for a nil message.
func response[T proto.Message](m T, err error) (proto.Message, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}

// clear removes all keys and leases. The compact revision stays.
func (s *kvSide) clear(ctx context.Context) error {
	deleted, err := s.kv.DeleteRange(ctx, &pb.DeleteRangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	if err != nil {
		return err
	}
	s.now = deleted.Header.Revision
	for _, id := range kvLeases {
		_, _ = s.lease.LeaseRevoke(ctx, &pb.LeaseRevokeRequest{ID: id})
	}
	return nil
}

// watch opens a stream for watches.
func (s *kvSide) watch(ctx context.Context) (err error) {
	s.watches, err = openKVWatches(ctx, s.conn)
	return err
}

// equalise makes the revisions equal: after a failed sequence they are not. It puts a key into both servers so often that no request looks
// back to that sequence.
func (p *kvPair) equalise(ctx context.Context) error {
	if p.etcd.now == p.pando.now {
		return nil
	}
	end := max(p.etcd.now, p.pando.now) + 1
	for _, s := range []*kvSide{p.etcd, p.pando} {
		for _, revision := range []int64{end, end + 1 + relativeRevisions} {
			if err := s.putUntil(ctx, revision); err != nil {
				return err
			}
			if err := s.clear(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// putUntil puts a key until the server has a revision.
func (s *kvSide) putUntil(ctx context.Context, revision int64) error {
	for s.now < revision {
		put, err := s.kv.Put(ctx, &pb.PutRequest{Key: []byte(lastKey)})
		if err != nil {
			return err
		}
		s.now = put.Header.Revision
	}
	return nil
}

// errServerGone is the error of a sequence that could not begin.
var errServerGone = errors.New("a server does not serve")

// play clears both servers, sends the steps to them, and compares.
func (p *kvPair) play(ctx context.Context, steps []kvStep) (err error) {
	defer func() { p.diverged = p.diverged || err != nil }()
	p.events, p.settled, p.fired, p.pastWatch = 0, 0, nil, false
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err = errors.Join(p.etcd.clear(ctx), p.pando.clear(ctx))
	if err == nil {
		err = p.equalise(ctx)
	}
	if err == nil {
		err = errors.Join(p.etcd.watch(ctx), p.pando.watch(ctx))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errServerGone, err)
	}
	for _, step := range steps {
		if err := p.step(ctx, step); err != nil {
			return fmt.Errorf("%s\n%w", step, err)
		}
	}
	if p.events, err = p.settle(ctx); err != nil {
		return err
	}
	return p.compareHashes(ctx)
}

// step sends one request and compares the responses.
func (p *kvPair) step(ctx context.Context, step kvStep) error {
	switch r := step.request.(type) {
	case *pb.CompactionRequest, *pb.WatchCancelRequest: // what a watch gets that is not up to date depends on the time
		if _, err := p.settle(ctx); err != nil {
			return err
		}
		if _, ok := r.(*pb.CompactionRequest); ok {
			p.compacted = append(p.compacted, p.etcd.fill(r).(*pb.CompactionRequest).Revision)
		}
	case *pb.WatchCreateRequest:
		p.pastWatch = p.pastWatch || r.StartRevision != 0
	}
	return p.exchange(ctx, step.request)
}

// exchange sends a request to both servers and compares the responses.
func (p *kvPair) exchange(ctx context.Context, request proto.Message) error {
	return p.exchangeAs(ctx, ctx, request)
}

// exchangeAs is exchange with a context for each server.
func (p *kvPair) exchangeAs(etcd, pando context.Context, request proto.Message) error {
	want, wantErr := p.etcd.do(etcd, request)
	got, gotErr := p.pando.do(pando, request)
	p.code = status.Code(gotErr)
	if status.Code(wantErr) != status.Code(gotErr) || status.Convert(wantErr).Message() != status.Convert(gotErr).Message() {
		if p.explained(request, nil, nil, wantErr, gotErr) {
			return nil
		}
		return fmt.Errorf("got  %s\nwant %s", outcome(got, gotErr), outcome(want, wantErr))
	}
	if want == nil || got == nil {
		return nil
	}
	p.etcd.now, p.pando.now = max(p.etcd.now, revisionOf(want)), max(p.pando.now, revisionOf(got))
	normalKV(request, want)
	normalKV(request, got)
	if !proto.Equal(want, got) && !p.explained(request, want, got, nil, nil) {
		return fmt.Errorf("got  %s\nwant %s", outcome(got, nil), outcome(want, nil))
	}
	return nil
}

// outcome returns a response or an error as text.
func outcome(m proto.Message, err error) string {
	if err != nil {
		return fmt.Sprintf("%v: %s", status.Code(err), status.Convert(err).Message())
	}
	return prototext.MarshalOptions{}.Format(m)
}

// settle waits until all watches have got their events, and compares them. It returns their number.
func (p *kvPair) settle(ctx context.Context) (events int, err error) {
	last := &pb.PutRequest{Key: []byte(lastKey)}
	if err := p.exchange(ctx, last); err != nil {
		return 0, err
	}
	p.settled++
	if p.pastWatch {
		if err := p.etcd.awaitSynced(ctx); err != nil {
			return 0, err
		}
		p.pastWatch = false
	}
	return p.etcd.watches.count(), compareWatches(p.etcd.watches, p.pando.watches, p.settled, p.omitted)
}

// awaitSynced waits until an etcd has read the earlier events for its new watches. A compaction before that cancels a watch that would not
// be canceled after it. The number of these watches is read from the metrics: version 3.4 answers requests for progress at once. Pando
// reads earlier events before those of later puts.
func (s *kvSide) awaitSynced(ctx context.Context) error {
	const none = "\netcd_debugging_mvcc_slow_watcher_total 0\n"
	var err error
	synced := servertest.Poll(kvTimeout, 10*time.Millisecond, func() bool {
		var text string
		if text, err = s.metrics(ctx); err != nil {
			return true
		}
		return strings.Contains(text, none)
	})
	if !synced {
		return fmt.Errorf("etcd has watches that wait for earlier events after %v", kvTimeout)
	}
	return err
}

// metrics returns the page /metrics.
func (s *kvSide) metrics(ctx context.Context) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/metrics", nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}
