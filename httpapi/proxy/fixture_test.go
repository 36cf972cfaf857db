package proxy

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"pando/httpapi"
	"pando/stats"

	"go.uber.org/zap"
)

const testTimeout = 20 * time.Second

// await polls until done returns true. It fails the test after testTimeout.
func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(testTimeout)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", testTimeout, what)
		}
		<-time.After(time.Millisecond)
	}
}

// fakeCluster serves a list of members on a peer URL.
type fakeCluster struct {
	peer *httptest.Server

	mu      sync.Mutex
	id      string
	members []fakeMember
}

type fakeMember struct {
	ID         uint64   `json:"id"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs,omitempty"`
	IsLearner  bool     `json:"isLearner,omitempty"`
}

// newCluster starts a cluster whose members have these client URLs.
func newCluster(t testing.TB, clientURLs ...string) *fakeCluster {
	c := &fakeCluster{id: "cdf818194e3a8c32"}
	c.peer = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		w.Header().Set("X-Etcd-Cluster-Id", c.id)
		_ = json.NewEncoder(w).Encode(c.members)
	}))
	t.Cleanup(c.peer.Close)
	c.set(clientURLs...)
	return c
}

// set replaces the members.
func (c *fakeCluster) set(clientURLs ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = nil
	for i, url := range clientURLs {
		c.members = append(c.members, fakeMember{ID: uint64(i + 1), PeerURLs: []string{c.peer.URL}, ClientURLs: []string{url}})
	}
}

// testProxy is a proxy with the server of its client URLs.
type testProxy struct {
	*Proxy
	*httptest.Server
	file string
}

// startProxy starts a proxy for the cluster. If the cluster has members, startProxy waits until the proxy has found them. The proxy
// stops at the end of the test.
func startProxy(t testing.TB, c *fakeCluster, change func(*Config)) *testProxy {
	t.Helper()
	cfg := Config{
		PeerURLs:        []string{c.peer.URL},
		ClusterFile:     filepath.Join(t.TempDir(), "proxy", "cluster"),
		PeerClient:      c.peer.Client(),
		FailureWait:     time.Hour,
		RefreshInterval: time.Hour,
		DialTimeout:     testTimeout,
		WriteTimeout:    5 * time.Second,
		BodyTimeout:     testTimeout,
		MaxIdle:         16,
		CORS:            httpapi.WithCORS(nil, stats.NewMetrics(stats.Build{})),
		Metrics:         http.NotFoundHandler(),
		Logger:          zap.NewNop(),
	}
	if change != nil {
		change(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { p.Run(ctx) })
	s := httptest.NewServer(p.Handler())
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		stop()
		done.Wait()
	})
	c.mu.Lock()
	known := len(c.members) > 0
	c.mu.Unlock()
	if known {
		await(t, "the members to be found", func() bool { return len(p.endpoints.available()) > 0 })
	}
	return &testProxy{p, s, cfg.ClusterFile}
}

// answer is the response that a client got.
type answer struct {
	status int
	body   string
	header http.Header
}

func do(t testing.TB, method, url string, body io.Reader) answer {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	noRedirects := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := (&http.Client{Timeout: testTimeout, CheckRedirect: noRedirects}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, string(text), resp.Header}
}

// recorder is a member that records its requests.
type recorder struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string
}

func newRecorder(t testing.TB, answer http.HandlerFunc) *recorder {
	m := &recorder{}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m.mu.Lock()
		m.seen = append(m.seen, r.Method+" "+r.RequestURI+" "+string(body))
		m.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(func() {
		m.CloseClientConnections()
		m.Close()
	})
	return m
}

func (m *recorder) requests() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.seen)
}

// respondWith returns a handler that answers each request with a text.
func respondWith(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// abort is a handler that closes the connection without an answer.
func abort(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// newMember starts a member whose handler reads the body itself.
func newMember(t testing.TB, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// breakingServer returns the URL of a member that closes each connection on which it gets a request.
func breakingServer(t testing.TB) string { return newRecorder(t, abort).URL }

// closedServer returns the URL of a server that is closed.
func closedServer(t testing.TB) string {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	return s.URL
}

// garbledServer returns the URL of a server whose answers are not HTTP.
func garbledServer(t testing.TB) string {
	return onConnections(t, func(c net.Conn) {
		if _, err := c.Read(make([]byte, 4096)); err == nil {
			_, _ = io.WriteString(c, "this is no HTTP\r\n\r\n")
		}
	})
}

// earlyServer returns the URL of a server that answers before it gets a request.
func earlyServer(t testing.TB) string {
	return onConnections(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
	})
}

// onConnections returns the URL of a server that calls do with each connection, and closes the connection after the client has.
func onConnections(t testing.TB, do func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				do(conn)
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// exchange sends bytes on a new connection, and returns what the server sends until it closes the connection.
func exchange(t testing.TB, address, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(testTimeout)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("after %q: %v", answer, err)
	}
	return string(answer)
}

// newFailover returns a failover with a transport of its own.
func newFailover(cfg Config, e *endpoints, onFailure func()) *failover {
	return &failover{next: newTransport(cfg), endpoints: e, onFailure: onFailure, log: cfg.Logger}
}
