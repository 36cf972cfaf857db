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

func newTestGate(wait time.Duration) *Gate {
	return NewGate(GateConfig{Wait: wait, Metrics: stats.NewMetrics(stats.Build{}), Versions: Versions{Server: "3.4.23"}, BodyTimeout: 50 * time.Millisecond, Logger: zap.NewNop()})
}

// ask gives the status, the content type and the body of an answer.
func ask(h http.Handler, method, target string) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return strings.Join([]string{http.StatusText(w.Code), w.Header().Get("Content-Type"), strings.TrimSpace(w.Body.String())}, " ")
}

// TestGateClosed asks a gate that does not open in time.
func TestGateClosed(t *testing.T) {
	g := newTestGate(time.Millisecond)
	const keyError = `Service Unavailable application/json {"errorCode":300,"message":"Raft Internal Error","cause":"` + causeStarting + `","index":0}`
	for _, test := range []struct {
		handler      http.Handler
		method, path string
		want         string
	}{
		{g.Client(), "GET", "/health", "Service Unavailable text/plain; charset=utf-8 {\"health\":\"false\"}"},
		{g.Client(), "GET", "/version", `OK application/json {"etcdserver":"3.4.23","etcdcluster":"","pando":""}`},
		{g.Client(), "GET", "/v2/keys", keyError},
		{g.Client(), "PUT", "/v2/keys/a", keyError},
		{g.Client(), "GET", "/v2/keys/a?wait=true", keyError},
		{g.Client(), "GET", "/v2/members", `Service Unavailable application/json {"message":"` + causeStarting + `"}`},
		{g.Client(), "GET", "/debug/pprof/", "Not Found text/plain; charset=utf-8 404 page not found"},
		{g.Client(), "GET", "/elsewhere", "Not Found text/plain; charset=utf-8 404 page not found"},
		{g.Observation(), "GET", "/health", "Service Unavailable text/plain; charset=utf-8 {\"health\":\"false\"}"},
		{g.Observation(), "GET", "/v2/keys", "Not Found text/plain; charset=utf-8 404 page not found"},
		{g.Peer(), "GET", "/members", "Service Unavailable text/plain; charset=utf-8 " + causeStarting},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			if got := ask(test.handler, test.method, test.path); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestGateOpens has requests of all listeners wait, and go on when there is somebody to answer.
func TestGateOpens(t *testing.T) {
	g := newTestGate(time.Minute)
	answer := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, text+" "+r.Method+" "+r.URL.String())
		})
	}
	client, peer := g.Client(), g.Peer()
	got := make(chan string, 2)
	go func() { got <- ask(client, "PUT", "/v2/keys/a?ttl=5") }()
	go func() { got <- ask(peer, "GET", "/members") }()
	g.Open(Handlers{Client: answer("client"), Peer: answer("peer"), Observation: answer("observation")})
	all := <-got + <-got
	for _, want := range []string{"client PUT /v2/keys/a?ttl=5", "peer GET /members"} {
		if !strings.Contains(all, want) {
			t.Errorf("got %s without %s", all, want)
		}
	}
	if got := ask(client, "GET", "/health"); !strings.Contains(got, "client GET /health") {
		t.Errorf("behind the open gate: %s", got)
	}
	if got := ask(g.Observation(), "GET", "/metrics"); !strings.Contains(got, "observation GET /metrics") {
		t.Errorf("behind the open gate: %s", got)
	}
}

// TestGateStops ends what waits when the process stops.
func TestGateStops(t *testing.T) {
	g := newTestGate(time.Minute)
	got := make(chan string, 1)
	go func() { got <- ask(g.Client(), "GET", "/v2/keys/a") }()
	g.CloseWaits()
	if text := <-got; !strings.Contains(text, "etcdserver: server stopped") {
		t.Errorf("got %s", text)
	}
}

// waitingContext tells when somebody waits for its end.
type waitingContext struct {
	context.Context
	waits func()
}

func (c waitingContext) Done() <-chan struct{} {
	c.waits()
	return c.Context.Done()
}

// TestHeldRequestsWaitOnce counts the time at the gate as part of what a request may wait for the member.
func TestHeldRequestsWaitOnce(t *testing.T) {
	g := newTestGate(time.Minute)
	held := make(chan struct{})
	ctx := waitingContext{t.Context(), sync.OnceFunc(func() { close(held) })}
	var came time.Time
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.Client().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/v2/keys/a", nil).WithContext(ctx))
	}()
	<-held
	opened := time.Now()
	g.Open(Handlers{Client: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { came = service.Arrival(r.Context()) })})
	<-done
	if came.IsZero() || came.After(opened) {
		t.Errorf("a request that came before %v counts from %v", opened, came)
	}
}

// TestGateBodies holds that a client can't promise a body for ever while the process starts.
func TestGateBodies(t *testing.T) {
	server := httptest.NewServer(newTestGate(time.Millisecond).Client())
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
