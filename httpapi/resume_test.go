package httpapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// poll has a client wait for an event over a connection, and get it.
func poll(t *testing.T, f *fixture, client net.Conn, in *bufio.Reader) {
	t.Helper()
	await(t, "the watch before to end", func() bool { return f.Tree.Watchers() == 0 })
	mustSend(t, client, "GET /v2/keys/a?wait=true HTTP/1.1\r\nHost: x\r\n\r\n")
	await(t, "the watch", func() bool { return f.Tree.Watchers() == 1 })
	f.do("PUT", "/v2/keys/a", "value=1")
	mustAnswer(t, in)
}

func dialServer(t *testing.T, server *httptest.Server) (net.Conn, *bufio.Reader) {
	t.Helper()
	client, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	_ = client.SetDeadline(time.Now().Add(time.Minute))
	return client, bufio.NewReader(client)
}

// TestIdleAfterLongPoll holds that a connection whose long poll has ended may be idle as
// long as any other, and does not hold up a shutdown.
func TestIdleAfterLongPoll(t *testing.T) {
	start := func(t *testing.T) (*fixture, *httptest.Server) {
		return watchedServer(t, func(s *httptest.Server) {
			s.Config.ReadHeaderTimeout = 20 * time.Millisecond
			s.Start()
		})
	}
	t.Run("longer than a head may take", func(t *testing.T) {
		f, server := start(t)
		client, in := dialServer(t, server)
		poll(t, f, client, in)
		_ = client.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := in.ReadByte(); err == nil || err == io.EOF {
			t.Fatalf("%v while the connection is idle", err)
		}
		_ = client.SetReadDeadline(time.Now().Add(time.Minute))
		mustSend(t, client, "GET /v2/keys/a HTTP/1.1\r\nHost: x\r\n\r\n")
		mustAnswer(t, in)
	})
	t.Run("at a shutdown", func(t *testing.T) {
		f, server := start(t)
		client, in := dialServer(t, server)
		poll(t, f, client, in)
		f.CloseWaits()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := server.Config.Shutdown(ctx); err != nil {
			t.Errorf("a shutdown with an idle connection: %v", err)
		}
		if _, err := in.ReadByte(); err != io.EOF {
			t.Errorf("%v, want the end of the connection", err)
		}
	})
	t.Run("the client goes", func(t *testing.T) {
		f, server := start(t)
		client, in := dialServer(t, server)
		poll(t, f, client, in)
		_ = client.Close()
		await(t, "the connection to be forgotten", func() bool {
			f.open.mu.Lock()
			defer f.open.mu.Unlock()
			return len(f.open.open) == 0
		})
	})
}

// TestTooMuchAhead has a client send without end while it waits for an event, and go away:
// its watch ends.
func TestTooMuchAhead(t *testing.T) {
	f, server := watchedServer(t, (*httptest.Server).Start)
	client, _ := dialServer(t, server)
	mustSend(t, client, "GET /v2/keys/a?wait=true HTTP/1.1\r\nHost: x\r\n\r\n")
	await(t, "the watch", func() bool { return f.Tree.Watchers() == 1 })
	_, _ = io.WriteString(client, strings.Repeat("x", 2*maxAhead)) // it may be cut off on the way
	_ = client.Close()
	await(t, "the watch to end", func() bool { return f.Tree.Watchers() == 0 })
}

// TestPollsAreCounted holds that a long poll which got its event is counted so, however soon the
// client closes.
func TestPollsAreCounted(t *testing.T) {
	f, server := watchedServer(t, (*httptest.Server).Start)
	const polls = 20
	for range polls {
		client, in := dialServer(t, server)
		poll(t, f, client, in)
		_ = client.Close()
	}
	f.mustReach(t, fmt.Sprintf(`pando_requests_total{operation="watch",outcome="ok"} %d`, polls))
}

// TestWatchesAboveTLS watches over connections that are more than sockets, by HTTP/1.1, and by
// HTTP/2, where a connection can't be taken over.
func TestWatchesAboveTLS(t *testing.T) {
	for _, major := range []int{1, 2} {
		t.Run(fmt.Sprint("HTTP/", major), func(t *testing.T) {
			f := newFixture(t, nil)
			next := f.handler
			f.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.ProtoMajor != major || r.TLS == nil || !r.TLS.HandshakeComplete {
					t.Errorf("%s with the TLS state %v", r.Proto, r.TLS)
				}
				next.ServeHTTP(w, r)
			})
			server := serveFixture(t, f, func(s *httptest.Server) {
				s.EnableHTTP2 = major == 2
				s.StartTLS()
			})
			f.handler = next
			client := server.Client()
			get := func(query string) *http.Response {
				t.Helper()
				resp, err := client.Get(server.URL + "/v2/keys/a" + query)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = resp.Body.Close() })
				return resp
			}
			for i := range 3 {
				resp := get("?wait=true")
				f.do("PUT", "/v2/keys/a", fmt.Sprint("value=", i))
				body, err := io.ReadAll(resp.Body)
				if want := fmt.Sprintf(`"value":"%d"`, i); err != nil || !strings.Contains(string(body), want) {
					t.Fatalf("poll %d: %q, %v", i, body, err)
				}
			}
			in := bufio.NewReader(get("?wait=true&stream=true&waitIndex=2").Body)
			mustFollow(t, in, 2, 4)
			f.do("PUT", "/v2/keys/a", "value=x")
			mustFollow(t, in, 5, 5)
			f.CloseWaits()
			if _, err := in.ReadByte(); err == nil || err == io.EOF {
				t.Errorf("%v at a shutdown: the answer must break off", err)
			}
			await(t, "the watches to end", func() bool { return f.Tree.Watchers() == 0 })
		})
	}
}

// TestAbandonedHTTP2Watch has a client of HTTP/2 give up: its watch ends.
func TestAbandonedHTTP2Watch(t *testing.T) {
	f := newFixture(t, nil)
	server := serveFixture(t, f, func(s *httptest.Server) {
		s.EnableHTTP2 = true
		s.StartTLS()
	})
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/v2/keys/a?wait=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	await(t, "the watch", func() bool { return f.Tree.Watchers() == 1 })
	cancel()
	await(t, "the watch to end", func() bool { return f.Tree.Watchers() == 0 })
}
