package httpapi

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/docs/openapi"
	"pando/httpapi/service"
	"pando/httpapi/stream"
	"pando/members"
	"pando/stats"
	"pando/tree"
)

const formType = "application/x-www-form-urlencoded"

// instantLog is a log without replicas. It applies each command at once.
type instantLog struct {
	mu    sync.Mutex
	tree  *tree.Store
	index uint64
	fail  error // the error of Propose and Barrier; nil for none

	leaderless bool
}

func (l *instantLog) Propose(_ context.Context, c *tree.Command) (*tree.Event, error) {
	r, err := l.apply(c)
	return r.Event, err
}

func (l *instantLog) ProposeTxn(_ context.Context, c *tree.Command) (*tree.TxnResult, error) {
	r, err := l.apply(c)
	return r.Txn, err
}

func (l *instantLog) ProposeKV(_ context.Context, c *tree.Command) (tree.Result, error) {
	return l.apply(c)
}

func (l *instantLog) apply(c *tree.Command) (tree.Result, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return tree.Result{}, l.fail
	}
	// Encode and decode it, as a real log does.
	decoded, _, err := tree.DecodeCommand(tree.AppendCommand(nil, c))
	if err != nil {
		return tree.Result{}, err
	}
	l.index++
	r := l.tree.Apply(time.Now().UnixNano(), []tree.Command{decoded})[0]
	l.tree.Announce()
	if r.Err != nil {
		return tree.Result{}, r.Err
	}
	return r, nil
}

func (l *instantLog) ReadsLocally() bool { return true }

func (l *instantLog) Barrier(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fail
}

func (l *instantLog) Index() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index
}

func (l *instantLog) Term() uint64 { return 7 }

func (*instantLog) FeatureLevel() uint64 { return tree.KVLevel }

func (l *instantLog) Applied() uint64 { return l.Index() }

func (*instantLog) Replayed() bool { return true }

func (l *instantLog) Leader() members.ID {
	if l.leaderless {
		return 0
	}
	return 1
}

// fixedCluster is a Cluster whose changes all return err.
type fixedCluster struct{ err error }

func (c fixedCluster) AddMember(context.Context, members.Member) error { return c.err }

func (c fixedCluster) RemoveMember(context.Context, members.ID) error { return c.err }

func (c fixedCluster) UpdateMember(context.Context, members.ID, []string) error { return c.err }

func (c fixedCluster) PromoteMember(context.Context, members.ID) error { return c.err }

func (c fixedCluster) TransferLeader(context.Context, members.ID) error { return c.err }

// fixture is a Member with an instantLog.
type fixture struct {
	*Member
	log     *instantLog
	handler http.Handler
}

// newFixture makes a fixture. change may modify its configuration, and may be nil.
func newFixture(t testing.TB, change func(*MemberConfig)) *fixture {
	t.Helper()
	registry := members.NewRegistry(0xc1)
	one := members.Member{ID: 1, Name: "one", PeerURLs: []string{"http://127.0.0.1:1"}, ClientURLs: []string{"http://127.0.0.1:2"}}
	if err := registry.Add(one); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	close(ready)
	log := &instantLog{tree: tree.New(1000)}
	cfg := MemberConfig{
		Config: Config{
			Metrics:     stats.NewMetrics(stats.Build{Version: "test", APIVersion: "3.4.23"}),
			BodyTimeout: 5 * time.Second, StallTimeout: 5 * time.Second, Description: openapi.Handler(),
			Versions: Versions{Server: "3.4.23", Cluster: "3.4.0", Pando: "test"},
			Logger:   zap.NewNop(),
		},
		Service: service.Config{
			Log: log, Leases: &stoppedClock{tree: log.tree}, Cluster: fixedCluster{}, Tree: log.tree, Members: registry, Self: 1,
			Stats: stats.NewServer("one", 1, time.Now), Leader: stats.NewLeader(1),
			Ready: ready, ReadyTimeout: 50 * time.Millisecond,
			CheckpointFailing: func() (time.Time, error) { return time.Time{}, nil },
			Pins:              service.PinLimits{Views: 16, Bytes: 64 << 20, Idle: time.Minute},
		},
		AuthTokenTTL: time.Minute, MaxRequestBytes: 1 << 20, MaxInflightBytes: 64 << 20,
		GRPC: GRPCLimits{RequestBytes: 1 << 20, TxnOps: 128, Bytes: 64 << 20}, ElectionTimeout: time.Second,
		WatchProgressInterval: 100 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	m := NewMember(cfg)
	return &fixture{Member: m, log: log, handler: checked(t, m.clientHandler())}
}

// stallPolicy returns the policy for the listeners of a test.
func (f *fixture) stallPolicy() stream.StallPolicy {
	return stream.StallPolicy{Timeout: f.StallTimeout, Metrics: f.Metrics, Logger: f.Logger}
}

// await polls until done returns true. It fails the test after 20 s.
func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// do calls the client handler with a request.
func (f *fixture) do(method, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", formType)
	}
	return f.serve(r)
}

// awaitMetric waits until the metrics contain a line.
func (f *fixture) awaitMetric(t *testing.T, metric string) {
	t.Helper()
	await(t, metric, func() bool { return strings.Contains(f.do("GET", "/metrics", "").Body.String(), "\n"+metric+"\n") })
}

// serveFixture serves a fixture, with the listener for connections that are kept alive.
func serveFixture(t testing.TB, f *fixture, start func(*httptest.Server)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(f.handler)
	server.Listener = stream.Listen(server.Listener, f.stallPolicy())
	start(server)
	go func() { _ = server.Config.Serve(f.streams.KeepAlive()) }()
	t.Cleanup(func() {
		f.endWaitingRequests()
		_ = f.streams.KeepAlive().Close()
		server.Close()
	})
	return server
}

// mustSend writes a text to a connection.
func mustSend(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}
