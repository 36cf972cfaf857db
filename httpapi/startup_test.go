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

	"pando/httpapi/service"
	"pando/stats"
)

// newTestServer returns a server before Open. wait is its StartTimeout.
func newTestServer(wait time.Duration) *Server {
	return NewServer(Config{
		StartTimeout: wait, Metrics: stats.NewMetrics(stats.Build{}), Versions: Versions{Server: "3.4.23"},
		BodyTimeout: 50 * time.Millisecond, ReadyChecks: []string{"writes"}, Logger: zap.NewNop(),
	})
}

// ask returns the status, the content type and the body of a response.
func ask(h http.Handler, method, target string) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return strings.Join([]string{http.StatusText(w.Code), w.Header().Get("Content-Type"), strings.TrimSpace(w.Body.String())}, " ")
}

// TestNeverOpened checks the responses of a server that is not opened in time.
func TestNeverOpened(t *testing.T) {
	s := newTestServer(time.Millisecond)
	const keyError = `Service Unavailable application/json {"errorCode":300,"message":"Raft Internal Error","cause":"` + causeStarting +
		`","index":0}`
	for _, test := range []struct {
		handler      http.Handler
		method, path string
		want         string
	}{
		{s.clientHandler(), "GET", "/health", "Service Unavailable text/plain; charset=utf-8 {\"health\":\"false\"}"},
		{s.clientHandler(), "GET", "/version", `OK application/json {"etcdserver":"3.4.23","etcdcluster":"","pando":""}`},
		{s.clientHandler(), "GET", "/v2/keys", keyError},
		{s.clientHandler(), "PUT", "/v2/keys/a", keyError},
		{s.clientHandler(), "GET", "/v2/keys/a?wait=true", keyError},
		{s.clientHandler(), "GET", "/v2/members", `Service Unavailable application/json {"message":"` + causeStarting + `"}`},
		{s.clientHandler(), "GET", "/debug/pprof/", "Not Found text/plain; charset=utf-8 404 page not found"},
		{s.clientHandler(), "GET", "/elsewhere", "Not Found text/plain; charset=utf-8 404 page not found"},
		{s.metricsHandler(), "GET", "/health", "Service Unavailable text/plain; charset=utf-8 {\"health\":\"false\"}"},
		{s.clientHandler(), "GET", "/livez?verbose", "OK text/plain; charset=utf-8 [+]ping ok\nok"},
		{s.clientHandler(), "GET", "/readyz", "Service Unavailable text/plain; charset=utf-8 [-]writes failed: " + causeStarting},
		{s.metricsHandler(), "GET", "/readyz/writes", "Service Unavailable text/plain; charset=utf-8 [-]writes failed: " + causeStarting},
		{s.metricsHandler(), "GET", "/v2/keys", "Not Found text/plain; charset=utf-8 404 page not found"},
		{s.peerHandler(), "GET", "/members", "Service Unavailable text/plain; charset=utf-8 " + causeStarting},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			if got := ask(test.handler, test.method, test.path); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestOpen checks that requests of all listeners wait for Open.
func TestOpen(t *testing.T) {
	s := newTestServer(time.Minute)
	answer := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, text+" "+r.Method+" "+r.URL.String())
		})
	}
	client, peer := s.clientHandler(), s.peerHandler()
	got := make(chan string, 2)
	go func() { got <- ask(client, "PUT", "/v2/keys/a?ttl=5") }()
	go func() { got <- ask(peer, "GET", "/members") }()
	s.Open(Handlers{Client: answer("client"), Peer: answer("peer"), Metrics: answer("metrics")})
	all := <-got + <-got
	for _, want := range []string{"client PUT /v2/keys/a?ttl=5", "peer GET /members"} {
		if !strings.Contains(all, want) {
			t.Errorf("got %s without %s", all, want)
		}
	}
	if got := ask(client, "GET", "/health"); !strings.Contains(got, "client GET /health") {
		t.Errorf("after Open: %s", got)
	}
	if got := ask(s.metricsHandler(), "GET", "/metrics"); !strings.Contains(got, "metrics GET /metrics") {
		t.Errorf("after Open: %s", got)
	}
}

// TestShutdownBeforeOpen checks that Shutdown ends the requests that wait for Open.
func TestShutdownBeforeOpen(t *testing.T) {
	s := newTestServer(time.Minute)
	got := make(chan string, 1)
	go func() { got <- ask(s.clientHandler(), "GET", "/v2/keys/a") }()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if text := <-got; !strings.Contains(text, "etcdserver: server stopped") {
		t.Errorf("got %s", text)
	}
}

// waitingContext calls waits when its Done method is called.
type waitingContext struct {
	context.Context
	waits func()
}

func (c waitingContext) Done() <-chan struct{} {
	c.waits()
	return c.Context.Done()
}

// TestWaitBeforeOpenCounts checks that the wait for Open counts for the timeout of AwaitReady.
func TestWaitBeforeOpenCounts(t *testing.T) {
	s := newTestServer(time.Minute)
	waiting := make(chan struct{})
	ctx := waitingContext{t.Context(), sync.OnceFunc(func() { close(waiting) })}
	var arrived time.Time
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.clientHandler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/v2/keys/a", nil).WithContext(ctx))
	}()
	<-waiting
	opened := time.Now()
	s.Open(Handlers{Client: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { arrived = service.Arrival(r.Context()) })})
	<-done
	if arrived.IsZero() || arrived.After(opened) {
		t.Errorf("the time of a request from before %v counts from %v", opened, arrived)
	}
}

// TestBodiesBeforeOpen checks that the time for the body of a request is limited before Open.
func TestBodiesBeforeOpen(t *testing.T) {
	server := httptest.NewServer(newTestServer(time.Millisecond).clientHandler())
	defer server.Close()
	for _, path := range []string{"/version", "/health", "/v2/keys/x"} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(conn); err != nil || len(got) == 0 {
			t.Errorf("%s: %q, %v", path, got, err)
		}
		_ = conn.Close()
	}
}
