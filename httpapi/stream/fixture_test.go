package stream

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/httpapi/budget"
	"pando/tree"
)

// counters implements Metrics and budget.Metrics.
type counters struct{ stalled, overloaded, inFlight atomic.Int64 }

func (c *counters) Stalled()             { c.stalled.Add(1) }
func (c *counters) Overloaded()          { c.overloaded.Add(1) }
func (c *counters) InFlight(bytes int64) { c.inFlight.Add(bytes) }

// fixture is a tree with a Dispatcher, and the handler of an HTTP server that serves watches of its keys.
type fixture struct {
	*Dispatcher
	tree    *tree.Store
	metrics *counters
	results chan error // the errors that Ended received

	mu sync.Mutex // held while the tree changes
}

// cacheBytes is the size of a fixture's event cache.
const cacheBytes = 8 << 20

func newFixture(change func(*Config)) *fixture {
	f := &fixture{tree: tree.New(1000), metrics: &counters{}, results: make(chan error, 1000)}
	cfg := Config{
		Processors: 2, StallTimeout: 5 * time.Second, Budget: budget.New(56<<20, f.metrics), EventCache: tree.NewEventCache(cacheBytes),
		Metrics: f.metrics, Logger: zap.NewNop(), Ended: func(_ time.Duration, err error) { f.results <- err },
	}
	cfg.Announced = f.tree.Announced
	if change != nil {
		change(&cfg)
	}
	f.Dispatcher = New(cfg)
	return f
}

// put sets a key and wakes the watchers.
func (f *fixture) put(key, value string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tree.Apply(time.Now().UnixNano(), []tree.Command{{Op: tree.OpSet, Path: key, Value: value}})
	f.tree.Announce()
}

// ServeHTTP serves a watch of a path and everything below it if the query has "wait", and otherwise the value of the path.
func (f *fixture) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if !query.Has("wait") {
		_, _ = io.WriteString(w, f.value(r.URL.Path))
		return
	}
	since, _ := strconv.ParseUint(query.Get("waitIndex"), 10, 64)
	watch := Watch{Start: time.Now()}
	if query.Has("stream") {
		watch.Mode = Continuous
	}
	watcher, err := f.tree.Watch(r.URL.Path, tree.Recursive, since)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if watch.First, err = watcher.Poll(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	watch.Watcher = watcher
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	if f.Serve(w, r, watch) != nil {
		panic(http.ErrAbortHandler)
	}
}

func (f *fixture) value(path string) string {
	if node, err := f.tree.View().Get(path); err == nil {
		return "value " + string(node.Value())
	}
	return "no value"
}

// eventJSON returns the JSON of the event with an index.
func (f *fixture) eventJSON(t *testing.T, index uint64) string {
	t.Helper()
	watcher, err := f.tree.Watch("/", tree.Recursive, index)
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Close()
	event, err := watcher.Poll()
	if err != nil || event == nil {
		t.Fatalf("the event %d is %v, %v", index, event, err)
	}
	return string(event.AppendJSON(nil))
}

// awaitWatchers waits until the tree has n watchers.
func (f *fixture) awaitWatchers(t testing.TB, n int) {
	t.Helper()
	await(t, fmt.Sprint(n, " watchers"), func() bool { return f.tree.Watchers() == n })
}

// mustEnd waits for the end of a watch and returns its result.
func (f *fixture) mustEnd(t *testing.T) error {
	t.Helper()
	select {
	case err := <-f.results:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("no watch ended")
		return nil
	}
}

// serve serves the fixture, with the listener for connections that are kept alive.
func (f *fixture) serve(t testing.TB, start func(*httptest.Server)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(f)
	server.Listener = Listen(server.Listener, f.policy())
	start(server)
	go func() { _ = server.Config.Serve(f.KeepAlive()) }()
	t.Cleanup(func() {
		f.Close()
		_ = f.KeepAlive().Close()
		server.Close()
	})
	return server
}

func (f *fixture) policy() StallPolicy {
	return StallPolicy{Timeout: f.StallTimeout, Metrics: f.metrics, Logger: f.Logger}
}

// startHTTP2 starts a server with TLS whose clients use HTTP/2.
func startHTTP2(s *httptest.Server) {
	s.EnableHTTP2 = true
	s.StartTLS()
}

// dial connects to a server without TLS.
func dial(t *testing.T, server *httptest.Server) (net.Conn, *bufio.Reader) {
	t.Helper()
	client, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	_ = client.SetDeadline(time.Now().Add(time.Minute))
	return client, bufio.NewReader(client)
}

func mustSend(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// get is a request for a path with a query.
func get(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n" }

// mustReceive reads a successful response and returns its body.
func mustReceive(t *testing.T, in *bufio.Reader) string {
	t.Helper()
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %q %v", resp.Status, body, err)
	}
	return string(body)
}

// await polls until done returns true, and fails the test when that takes too long.
func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// large is a value whose event is large.
var large = strings.Repeat("v", 1<<20)
