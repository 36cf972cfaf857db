package stream

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"pando/tree"
)

// transports are the ways to serve a Stream.
var transports = map[string]func(*httptest.Server){
	"plain":  (*httptest.Server).Start,
	"TLS":    (*httptest.Server).StartTLS, // every write may wait
	"HTTP/2": startHTTP2,                  // the connection can't be taken over
}

// openStream begins a continuous watch of /a on a connection with a small buffer.
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
	resp, err := client.Get(fmt.Sprintf("%s/a?wait&stream&waitIndex=%d", server.URL, since))
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

// TestSlowStream checks that a client that does not read delays no other client, and that it later gets every event.
func TestSlowStream(t *testing.T) {
	for name, start := range transports {
		t.Run(name, func(t *testing.T) {
			f := newFixture(func(c *Config) { c.StallTimeout = time.Minute })
			server := f.serve(t, start)
			slow, fast := openStream(t, server, 2), openStream(t, server, 2)
			value := strings.Repeat("v", 100<<10)
			const events = 100 // 10 MB, more than the sockets hold
			for i := range events {
				f.put("/a", value)
				mustFollow(t, fast, i+2, i+2)
			}
			mustFollow(t, slow, 2, events+1)
		})
	}
}

// TestManyStreams checks that each of many clients gets every event in order while several writers write.
func TestManyStreams(t *testing.T) {
	for name, start := range transports {
		t.Run(name, func(t *testing.T) {
			f := newFixture(nil)
			server := f.serve(t, start)
			const streams, writers, writes = 50, 4, 100
			var all sync.WaitGroup
			for range streams {
				in := openStream(t, server, 2)
				all.Go(func() { mustFollow(t, in, 2, writers*writes+1) })
			}
			for range writers {
				all.Go(func() {
					for range writes {
						f.put("/a", "1")
					}
				})
			}
			all.Wait()
		})
	}
}

// TestWatches checks long polls and a continuous watch on each transport, and their end when the dispatcher is closed.
func TestWatches(t *testing.T) {
	for name, start := range transports {
		t.Run(name, func(t *testing.T) {
			f := newFixture(nil)
			server := f.serve(t, start)
			server.Config.Handler = checkTransport(t, name, f)
			client := server.Client()
			get := func(query string) *http.Response {
				t.Helper()
				resp, err := client.Get(server.URL + "/a" + query)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = resp.Body.Close() })
				return resp
			}
			mustHave := func(resp *http.Response, index uint64) {
				t.Helper()
				if body, err := io.ReadAll(resp.Body); err != nil || string(body) != f.eventJSON(t, index) {
					t.Fatalf("a poll for event %d: %q, %v", index, body, err)
				}
				if err := f.mustEnd(t); err != nil {
					t.Errorf("a poll ended with %v", err)
				}
			}
			for i := range 3 {
				resp := get("?wait")
				f.put("/a", fmt.Sprint(i))
				mustHave(resp, uint64(i+2))
			}
			mustHave(get("?wait&waitIndex=3"), 3)
			in := bufio.NewReader(get("?wait&stream&waitIndex=2").Body)
			mustFollow(t, in, 2, 4)
			f.put("/a", "x")
			mustFollow(t, in, 5, 5)
			f.Close()
			if _, err := in.ReadByte(); err == nil || err == io.EOF {
				t.Errorf("after Close of the dispatcher: %v, want a broken response", err)
			}
			if err := f.mustEnd(t); err != ErrClosed {
				t.Errorf("the stream ended with %v", err)
			}
			f.awaitWatchers(t, 0)
		})
	}
}

// checkTransport returns a handler that checks the protocol and the TLS state of each request, also on a connection that came back.
func checkTransport(t *testing.T, transport string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		major := 1
		if transport == "HTTP/2" {
			major = 2
		}
		secure := r.TLS != nil && r.TLS.HandshakeComplete
		if r.ProtoMajor != major || secure != (transport != "plain") {
			t.Errorf("the request has %s with the TLS state %v", r.Proto, r.TLS)
		}
		next.ServeHTTP(w, r)
	})
}

// TestEndOfHistory checks that a stream whose events are lost ends with the error as its last object, in a complete response.
func TestEndOfHistory(t *testing.T) {
	for name, start := range transports {
		t.Run(name, func(t *testing.T) {
			f := newFixture(nil)
			server := f.serve(t, start)
			in := openStream(t, server, 0)
			f.awaitWatchers(t, 1)
			f.tree.Replace(tree.New(1000))
			body, err := io.ReadAll(in)
			if err != nil || !strings.Contains(string(body), `"errorCode":`) {
				t.Errorf("the response is %q, %v", body, err)
			}
			if err := f.mustEnd(t); err == nil || !strings.Contains(err.Error(), "snapshot") {
				t.Errorf("the stream ended with %v", err)
			}
		})
	}
}

// TestClientGoes checks that a watch ends when its client closes the connection, or resets the stream of HTTP/2.
func TestClientGoes(t *testing.T) {
	for name, start := range transports {
		for _, query := range []string{"?wait", "?wait&stream"} {
			t.Run(name+query, func(t *testing.T) {
				f := newFixture(nil)
				server := f.serve(t, start)
				ctx, cancel := context.WithCancel(t.Context())
				r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/a"+query, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				f.awaitWatchers(t, 1)
				cancel()
				f.awaitWatchers(t, 0)
				if err := f.mustEnd(t); err != ErrClientGone {
					t.Errorf("the watch ended with %v", err)
				}
			})
		}
	}
}

// noHijacker is a ResponseWriter of HTTP/1 whose connection can't be taken over.
type noHijacker struct{ w http.ResponseWriter }

func (n noHijacker) Header() http.Header         { return n.w.Header() }
func (n noHijacker) Write(b []byte) (int, error) { return n.w.Write(b) }
func (n noHijacker) WriteHeader(status int)      { n.w.WriteHeader(status) }
func (n noHijacker) Flush()                      { n.w.(http.Flusher).Flush() }

// TestNoHijacker serves watches over HTTP/1.1 with a ResponseWriter that hides http.Hijacker.
func TestNoHijacker(t *testing.T) {
	f := newFixture(nil)
	server := f.serve(t, (*httptest.Server).Start)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.ServeHTTP(noHijacker{w}, r) })
	client, in := dial(t, server)
	for i := range 3 {
		mustSend(t, client, get("/a?wait"))
		f.awaitWatchers(t, 1)
		f.put("/a", fmt.Sprint(i))
		if body := mustReceive(t, in); body != f.eventJSON(t, uint64(i+2)) {
			t.Fatalf("poll %d: got %s", i, body)
		}
		if err := f.mustEnd(t); err != nil {
			t.Errorf("a poll ended with %v", err)
		}
		f.awaitWatchers(t, 0)
	}
	mustSend(t, client, get("/a?wait&stream&waitIndex=2"))
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	events := bufio.NewReader(resp.Body)
	mustFollow(t, events, 2, 4)
	f.Close()
	if _, err := events.ReadByte(); err == nil || err == io.EOF {
		t.Errorf("after Close of the dispatcher: %v, want a broken response", err)
	}
	if err := f.mustEnd(t); err != ErrClosed {
		t.Errorf("the stream ended with %v", err)
	}
}
