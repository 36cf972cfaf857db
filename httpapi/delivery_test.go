package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// watchedServer serves a fixture, with the listener on which connections come back.
func watchedServer(t *testing.T, start func(*httptest.Server)) (*fixture, *httptest.Server) {
	t.Helper()
	f := newFixture(t, nil)
	return f, serveFixture(t, f, start)
}

func serveFixture(t testing.TB, f *fixture, start func(*httptest.Server)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(f.handler)
	server.Listener = Listen(server.Listener, f.stalls())
	start(server)
	go func() { _ = server.Config.Serve(f.Returned()) }()
	t.Cleanup(func() {
		f.CloseWaits()
		_ = f.Returned().Close()
		server.Close()
	})
	return server
}

// openStream begins a stream of /a over a connection that takes little at a time.
func openStream(t *testing.T, server *httptest.Server, since int) *bufio.Reader {
	t.Helper()
	client := server.Client()
	if transport := client.Transport.(*http.Transport); transport.TLSClientConfig == nil {
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err == nil {
				err = c.(*net.TCPConn).SetReadBuffer(16 << 10)
			}
			return c, err
		}
	}
	resp, err := client.Get(fmt.Sprintf("%s/v2/keys/a?wait=true&stream=true&waitIndex=%d", server.URL, since))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return bufio.NewReader(resp.Body)
}

// mustFollow reads the events from one index to another, which must come in order.
func mustFollow(t *testing.T, in *bufio.Reader, from, to int) {
	t.Helper()
	var event struct{ Node struct{ ModifiedIndex int } }
	for want := from; want <= to; want++ {
		line, err := in.ReadString('\n')
		if err == nil {
			err = json.Unmarshal([]byte(line), &event)
		}
		if err != nil || event.Node.ModifiedIndex != want {
			t.Errorf("event %d, %v; want %d", event.Node.ModifiedIndex, err, want)
			return
		}
	}
}

// TestSlowStream has a client that does not read while others do: they don't wait
// for it, and it misses nothing.
func TestSlowStream(t *testing.T) {
	for name, start := range map[string]func(*httptest.Server){
		"plain": (*httptest.Server).Start,
		"TLS":   (*httptest.Server).StartTLS, // whose connections are never written to without waiting
	} {
		t.Run(name, func(t *testing.T) {
			f, server := watchedServer(t, start)
			slow, fast := openStream(t, server, 2), openStream(t, server, 2)
			form := url.Values{"value": {strings.Repeat("v", 100<<10)}}.Encode()
			const events = 100 // 10 MB, more than the sockets hold
			for i := range events {
				f.do("PUT", "/v2/keys/a", form)
				mustFollow(t, fast, i+2, i+2)
			}
			mustFollow(t, slow, 2, events+1)
		})
	}
}

// TestManyStreams has many clients follow many writes, all at once: each gets every
// event in order, however the workers come to it.
func TestManyStreams(t *testing.T) {
	f, server := watchedServer(t, (*httptest.Server).Start)
	const streams, writers, writes = 50, 4, 100
	var all sync.WaitGroup
	for range streams {
		in := openStream(t, server, 2)
		all.Go(func() { mustFollow(t, in, 2, writers*writes+1) })
	}
	for range writers {
		all.Go(func() {
			for range writes {
				f.do("PUT", "/v2/keys/a", "value=1")
			}
		})
	}
	all.Wait()
}

// TestLongPollsOnOneConnection has a client poll again and again on the connection
// that comes back, which must not grow on the way.
func TestLongPollsOnOneConnection(t *testing.T) {
	f, server := watchedServer(t, func(s *httptest.Server) {
		s.Config.ConnState = func(c net.Conn, state http.ConnState) {
			if own, ok := c.(*conn); !ok {
				t.Errorf("net/http serves a %T", c)
			} else if _, ok := own.Conn.(*net.TCPConn); !ok && state == http.StateActive {
				t.Errorf("the connection holds a %T", own.Conn)
			}
		}
		s.Start()
	})
	client, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_ = client.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(client)
	for i := range 20 {
		mustSend(t, client, "GET /v2/keys/a?wait=true HTTP/1.1\r\nHost: x\r\n\r\n")
		for f.Tree.Watchers() == 0 {
			<-time.After(time.Millisecond)
		}
		mustSend(t, client, "GET /v2/keys/a HTTP/1.1\r\nHost: x\r\n\r\n") // sent ahead
		f.do("PUT", "/v2/keys/a", fmt.Sprintf("value=%d", i))
		want := fmt.Sprintf(`"value":"%d"`, i)
		for _, action := range []string{"set", "get"} {
			if body := mustAnswer(t, in); !strings.Contains(body, want) || !strings.Contains(body, action) {
				t.Fatalf("poll %d: got %s, want %s with %s", i, body, action, want)
			}
		}
	}
}
