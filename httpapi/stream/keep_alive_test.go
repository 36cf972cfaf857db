package stream

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

// poll performs a long poll on a connection, with an event.
func poll(t *testing.T, f *fixture, client net.Conn, in *bufio.Reader) {
	t.Helper()
	f.awaitWatchers(t, 0)
	mustSend(t, client, get("/a?wait"))
	f.awaitWatchers(t, 1)
	f.put("/a", "1")
	mustReceive(t, in)
}

// TestLongPollsOnOneConnection repeats long polls on one connection, which goes back to net/http after each. The connection must not
// be wrapped once more each time.
func TestLongPollsOnOneConnection(t *testing.T) {
	f := newFixture(nil)
	server := f.serve(t, func(s *httptest.Server) {
		s.Config.ConnState = func(c net.Conn, state http.ConnState) {
			if inner, ok := c.(*conn); !ok {
				t.Errorf("net/http serves a %T", c)
			} else if _, ok := inner.Conn.(*net.TCPConn); !ok && state == http.StateActive {
				t.Errorf("the connection is on a %T", inner.Conn)
			}
		}
		s.Start()
	})
	client, in := dial(t, server)
	for i := range 20 {
		mustSend(t, client, get("/a?wait"))
		f.awaitWatchers(t, 1)
		mustSend(t, client, get("/a")) // before the response to the poll
		value := fmt.Sprint(i)
		f.put("/a", value)
		if body := mustReceive(t, in); body != f.eventJSON(t, uint64(i+2)) {
			t.Fatalf("poll %d: got %s", i, body)
		}
		if body := mustReceive(t, in); body != "value "+value {
			t.Fatalf("read %d: got %s", i, body)
		}
	}
}

// TestIdleAfterLongPoll checks that a connection may be idle after a long poll for longer than ReadHeaderTimeout, and that it does not
// delay a shutdown.
func TestIdleAfterLongPoll(t *testing.T) {
	const headerTimeout = time.Second // a busy machine may delay the first request
	start := func(t *testing.T) (*fixture, *httptest.Server) {
		f := newFixture(nil)
		return f, f.serve(t, func(s *httptest.Server) {
			s.Config.ReadHeaderTimeout = headerTimeout
			s.Start()
		})
	}
	t.Run("longer than a header may take", func(t *testing.T) {
		f, server := start(t)
		client, in := dial(t, server)
		poll(t, f, client, in)
		_ = client.SetReadDeadline(time.Now().Add(3 * headerTimeout / 2))
		if _, err := in.ReadByte(); err == nil || err == io.EOF {
			t.Fatalf("read on the idle connection: %v, want a timeout", err)
		}
		_ = client.SetReadDeadline(time.Now().Add(time.Minute))
		mustSend(t, client, get("/a"))
		mustReceive(t, in)
	})
	t.Run("at a shutdown", func(t *testing.T) {
		f, server := start(t)
		client, in := dial(t, server)
		poll(t, f, client, in)
		f.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // less than the 5 s that net/http would wait
		defer cancel()
		if err := server.Config.Shutdown(ctx); err != nil {
			t.Errorf("a shutdown with an idle connection: %v", err)
		}
		if _, err := in.ReadByte(); err != io.EOF {
			t.Errorf("got %v, want the end of the connection", err)
		}
	})
	t.Run("the client closes the connection", func(t *testing.T) {
		f, server := start(t)
		client, in := dial(t, server)
		poll(t, f, client, in)
		_ = client.Close()
		await(t, "the stream to be removed", func() bool {
			f.Dispatcher.mu.Lock()
			defer f.Dispatcher.mu.Unlock()
			return len(f.open) == 0
		})
		if err := f.mustEnd(t); err != nil {
			t.Errorf("the poll ended with %v", err)
		}
	})
}

// TestTooMuchPipelined checks that the watch of a client ends that sends too much while it waits for an event.
func TestTooMuchPipelined(t *testing.T) {
	f := newFixture(nil)
	server := f.serve(t, (*httptest.Server).Start)
	client, _ := dial(t, server)
	mustSend(t, client, get("/a?wait"))
	f.awaitWatchers(t, 1)
	_, _ = io.WriteString(client, strings.Repeat("x", 2*maxPipelined)) // an error means that the server has closed the connection
	f.awaitWatchers(t, 0)
	if err := f.mustEnd(t); err != ErrClientGone {
		t.Errorf("the watch ended with %v", err)
	}
}

// TestKeepAliveNotServed checks that a connection is closed at its next request if no server serves KeepAlive.
func TestKeepAliveNotServed(t *testing.T) {
	f := newFixture(nil)
	server := httptest.NewServer(f)
	defer server.Close()
	client, in := dial(t, server)
	poll(t, f, client, in)
	mustSend(t, client, get("/a"))
	if _, err := in.ReadByte(); err == nil {
		t.Error("got a response, want the end of the connection")
	}
}
