package httpapi

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/stats"
)

// listenLocal opens a socket for each group of listeners.
func listenLocal(t *testing.T) Listeners {
	t.Helper()
	var sockets [3]Listener
	for i := range sockets {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		sockets[i] = Listener{Listener: l}
	}
	return Listeners{Client: sockets[:1], Peer: sockets[1:2], Metrics: sockets[2:]}
}

// TestServe serves a member on real listeners, from before Open until after Close.
func TestServe(t *testing.T) {
	f := newFixture(t, nil)
	s := NewServer(Config{
		StartTimeout: time.Minute, Metrics: stats.NewMetrics(stats.Build{}), BodyTimeout: time.Minute, StallTimeout: time.Minute,
		Connections: ConnectionLimits{Client: 10, Peer: 10, Metrics: 10}, Logger: zap.NewNop(),
	})
	defer s.Close()
	l := listenLocal(t)
	failed := s.Serve(l)
	get := func(listeners []Listener, path string) string {
		resp, err := http.Get("http://" + listeners[0].Addr().String() + path)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err.Error()
		}
		return resp.Status + " " + string(body)
	}
	expect := func(listeners []Listener, path, want string) {
		t.Helper()
		if got := get(listeners, path); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	expect(l.Client, "/health", `503 Service Unavailable {"health":"false"}`)
	s.Open(f.Handlers(func(handle func(string, http.HandlerFunc)) {
		handle("/raft/stream", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "a message") })
	}))
	expect(l.Client, "/v2/keys/", `200 OK {"action":"get"`)
	expect(l.Client, "/raft/stream", "404 Not Found")
	expect(l.Peer, "/raft/stream", "200 OK a message")
	expect(l.Peer, "/members", `200 OK [{"id":1`)
	expect(l.Metrics, "/health", `200 OK {"health":"true"}`)
	expect(l.Metrics, "/v2/keys/", "404 Not Found")

	watch := make(chan string, 1)
	go func() { watch <- get(l.Client, "/v2/keys/a?wait=true") }()
	await(t, "the watch", func() bool { return f.Service.Tree.Watchers() == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if got := <-watch; !strings.Contains(got, "EOF") && !strings.Contains(got, "reset") {
		t.Errorf("the watch ended with %s, want a broken connection", got)
	}
	expect(l.Peer, "/raft/stream", "200 OK a message") // until Close
	s.Close()
	for _, listeners := range [][]Listener{l.Client, l.Peer, l.Metrics} {
		if got := get(listeners, "/health"); !strings.Contains(got, "refused") && !strings.Contains(got, "reset") {
			t.Errorf("after Close: %s", got)
		}
	}
	select {
	case err := <-failed:
		t.Errorf("a listener failed: %v", err)
	default:
	}
}

// TestListenerFails checks that the failure of a listener is reported.
func TestListenerFails(t *testing.T) {
	s := newTestServer(time.Minute)
	defer s.Close()
	l := listenLocal(t)
	failed := s.Serve(l)
	_ = l.Metrics[0].Close()
	select {
	case err := <-failed:
		if !strings.Contains(err.Error(), l.Metrics[0].Addr().String()) {
			t.Errorf("%v does not name the listener", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("no error")
	}
}
