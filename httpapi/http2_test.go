package httpapi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/httpapi/h2"
	"pando/stats"
)

// fakeGRPC is a GRPCServer that answers each connection with a text.
type fakeGRPC struct {
	conns    chan *h2.Conn
	shutdown sync.Once
}

func (g *fakeGRPC) Serve(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		g.conns <- c.(*h2.Conn)
	}
}

func (g *fakeGRPC) Shutdown(context.Context) error {
	g.shutdown.Do(func() { close(g.conns) })
	return nil
}

// startServer serves a fixture on real listeners. It returns the URL of the clients.
func startServer(t *testing.T, f *fixture, grpc GRPCServer) (s *Server, url string) {
	t.Helper()
	s = NewServer(Config{
		StartTimeout: time.Minute, Metrics: stats.NewMetrics(stats.Build{}), BodyTimeout: time.Minute, StallTimeout: time.Minute,
		Connections: ConnectionLimits{Client: 10, Peer: 10, Metrics: 10}, Logger: zap.NewNop(),
	})
	t.Cleanup(s.Close)
	l := listenLocal(t)
	s.Serve(l)
	h := f.Handlers(func(func(string, http.HandlerFunc)) {})
	h.GRPC = grpc
	s.Open(h)
	return s, "http://" + l.Client[0].Addr().String()
}

// priorKnowledge returns a client that speaks HTTP/2 without TLS.
func priorKnowledge(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestPlainHTTP2 sends requests over HTTP/2 to a port that also serves HTTP/1.
func TestPlainHTTP2(t *testing.T) {
	f := newFixture(t, nil)
	s, url := startServer(t, f, nil)
	client := priorKnowledge(t)
	events := make(chan string, 10)
	resp, err := client.Get(url + "/v2/keys/a?wait=true&stream=true")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 {
		t.Fatalf("the protocol is %s", resp.Proto)
	}
	go func() {
		defer close(events)
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			events <- lines.Text()
		}
	}()
	for _, c := range []*http.Client{client, http.DefaultClient} {
		put, err := http.NewRequest(http.MethodPut, url+"/v2/keys/a", strings.NewReader("value="+strings.Repeat("x", 100<<10)))
		if err != nil {
			t.Fatal(err)
		}
		put.Header.Set("Content-Type", formType)
		answer, err := c.Do(put)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode/100 != 2 {
			t.Errorf("%s: %s, %v", answer.Proto, answer.Status, err)
		}
		_ = answer.Body.Close() // it was read to its end
		if event := <-events; !strings.HasPrefix(event, `{"action":"set"`) {
			t.Errorf("the watch got %.100q", event)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if event, open := <-events; open {
		t.Errorf("after Shutdown the watch got %q", event)
	}
}

// TestGRPCConnections looks at which server gets a connection.
func TestGRPCConnections(t *testing.T) {
	post := func(t *testing.T, url string) error {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/service/Method", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/grpc")
		resp, err := priorKnowledge(t).Do(r)
		if err == nil {
			err = errors.New("status " + resp.Status)
			_ = resp.Body.Close() // only the status counts
		}
		return err
	}
	t.Run("no server", func(t *testing.T) {
		_, url := startServer(t, newFixture(t, nil), nil)
		if err := post(t, url); !strings.Contains(err.Error(), "EOF") && !strings.Contains(err.Error(), "reset") {
			t.Errorf("got %v, want a closed connection", err)
		}
	})
	t.Run("a server", func(t *testing.T) {
		grpc := &fakeGRPC{conns: make(chan *h2.Conn)}
		s, url := startServer(t, newFixture(t, nil), grpc)
		done := make(chan error, 1)
		go func() { done <- post(t, url) }()
		c := <-grpc.conns
		first := make([]byte, len(h2.Preface))
		if _, err := io.ReadFull(c, first); err != nil || string(first) != h2.Preface {
			t.Errorf("the server reads %q, %v", first, err)
		}
		if c.TLS() != nil {
			t.Error("the connection has TLS")
		}
		_ = c.Close() // the client gets an error
		<-done
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if _, open := <-grpc.conns; open {
			t.Error("the server gets a connection after Shutdown")
		}
	})
}

// TestConnectionsOfHTTP2 checks that a connection of HTTP/2 counts until it is closed.
func TestConnectionsOfHTTP2(t *testing.T) {
	s, url := startServer(t, newFixture(t, nil), nil)
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	mustSend(t, c, "P")
	awaitMetric(t, s.cfg.Metrics, `pando_connections{listener="client"} 1`)
	mustSend(t, c, h2.Preface[1:]+"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	if _, err := io.ReadFull(c, make([]byte, 9)); err != nil { // SETTINGS
		t.Fatal(err)
	}
	awaitMetric(t, s.cfg.Metrics, `pando_connections{listener="client"} 1`)
	_ = c.Close() // the server notices it
	awaitMetric(t, s.cfg.Metrics, `pando_connections{listener="client"} 0`)
}
