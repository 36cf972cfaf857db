package stream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pando/httpapi/budget"
	"pando/tree"
)

// sendWithoutReading sends a request and does not read the body of the response.
func sendWithoutReading(t *testing.T, server *httptest.Server, transport, target string) {
	t.Helper()
	if transport == "HTTP/2" {
		resp, err := server.Client().Get(server.URL + target)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return
	}
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.(*net.TCPConn).SetReadBuffer(8 << 10)
	if transport == "TLS" {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	mustSend(t, c, get(target))
}

// TestStalledClients checks that a client that reads nothing of a stream or of a large event is cut off and counted, that its watch
// ends, and that its memory is released.
func TestStalledClients(t *testing.T) {
	for name, start := range transports {
		for _, tc := range []struct {
			name, query string
			value       string
			events      int
		}{
			{"large events", "?wait&stream", large, 20},
			{"small events", "?wait&stream", strings.Repeat("v", 20<<10), 900},
			{"long poll", "?wait", strings.Repeat("v", 19<<20), 1},
			{"long poll for the past", "?wait&waitIndex=2", strings.Repeat("v", 19<<20), 1},
		} {
			t.Run(name+" "+tc.name, func(t *testing.T) {
				t.Parallel()
				f := newFixture(func(c *Config) { c.StallTimeout = 200 * time.Millisecond })
				server := f.serve(t, start)
				past := strings.Contains(tc.query, "waitIndex")
				if past {
					f.put("/l/past", tc.value)
				}
				sendWithoutReading(t, server, name, "/l"+tc.query)
				if !past {
					f.awaitWatchers(t, 1)
					for i := range tc.events {
						f.put(fmt.Sprint("/l/", i), tc.value)
					}
				}
				if err := f.mustEnd(t); err != ErrStalled {
					t.Errorf("the watch ended with %v", err)
				}
				await(t, "one stalled client and no memory", func() bool {
					return f.metrics.stalled.Load() == 1 && f.metrics.inFlight.Load() == 0
				})
				f.awaitWatchers(t, 0)
				mustHaveRoom(t, f)
			})
		}
	}
}

// mustHaveRoom checks that the event cache contains no large event: an event that needs the whole cache must fit.
func mustHaveRoom(t *testing.T, f *fixture) {
	t.Helper()
	watcher, err := f.tree.Watch("/room", tree.Exact, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Close()
	f.put("/room", strings.Repeat("v", cacheBytes-1000))
	event, err := watcher.Poll()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := f.EventCache.Acquire(event); !ok {
		t.Error("the event cache holds events of a client that is gone")
		return
	}
	f.EventCache.Release(event)
}

// TestSlowReaderIsServed checks that a client gets everything if it reads for longer than the stall timeout, but always something
// within it.
func TestSlowReaderIsServed(t *testing.T) {
	const timeout = 3 * time.Second
	for name, start := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for try := 1; ; try++ {
				pause, err := readSlowly(t, start, timeout)
				if err == nil {
					return
				}
				// A busy machine may stop the reader for longer than the timeout.
				if pause < timeout/2 || try == 5 {
					t.Fatalf("%v, when the longest time between two reads was %v", err, pause)
				}
			}
		})
	}
}

// readSlowly reads a stream of large events from a new server. It returns the longest time between two reads, and an error if the client
// was cut off.
func readSlowly(t *testing.T, start func(*httptest.Server), timeout time.Duration) (longest time.Duration, err error) {
	t.Helper()
	f := newFixture(func(c *Config) { c.StallTimeout = timeout })
	server := f.serve(t, start)
	const events = 10
	want := 0
	for i := range events {
		f.put("/a", large)
		want += len(f.eventJSON(t, uint64(i+2)))
	}
	in := openStream(t, server, 2)
	pieces := want/(64<<10) + 1
	tick := time.NewTicker(timeout * 4 / 3 / time.Duration(pieces))
	defer tick.Stop()
	last := time.Now()
	for buf := make([]byte, 64<<10); want > 0; <-tick.C {
		n, err := io.ReadFull(in, buf[:min(len(buf), want)])
		longest, last = max(longest, time.Since(last)), time.Now()
		if want -= n; err != nil {
			return longest, fmt.Errorf("%w, %d bytes missing", err, want)
		}
	}
	if f.metrics.stalled.Load() > 0 {
		return longest, errors.New("the client was cut off")
	}
	return longest, nil
}

// TestNoMemoryForSlowClients checks that a slow client is cut off when others have reserved all memory.
func TestNoMemoryForSlowClients(t *testing.T) {
	for name, start := range transports {
		t.Run(name, func(t *testing.T) {
			f := newFixture(func(c *Config) { c.StallTimeout = time.Minute })
			server := f.serve(t, start)
			reserved, err := f.Budget.Reserve(1<<40, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer reserved.Release()
			sendWithoutReading(t, server, name, "/l?wait&stream")
			f.awaitWatchers(t, 1)
			for i := range 900 {
				f.put(fmt.Sprint("/l/", i), strings.Repeat("v", 20<<10))
			}
			if err := f.mustEnd(t); !errors.Is(err, budget.ErrExhausted) {
				t.Errorf("the watch ended with %v", err)
			}
			if n := f.metrics.overloaded.Load(); n != 1 {
				t.Errorf("%d clients counted, want 1", n)
			}
			f.awaitWatchers(t, 0)
		})
	}
}

// TestCloseDoesNotWait checks that Close does not wait for clients that have not read their complete responses.
func TestCloseDoesNotWait(t *testing.T) {
	for name, start := range transports {
		t.Run(name, func(t *testing.T) {
			f := newFixture(func(c *Config) { c.StallTimeout = time.Minute })
			server := f.serve(t, start)
			const clients = 4
			for range clients {
				sendWithoutReading(t, server, name, "/l?wait")
			}
			f.awaitWatchers(t, clients)
			f.put("/l", large) // fits into the buffers of the sockets
			for range clients {
				if err := f.mustEnd(t); err != nil {
					t.Errorf("a poll ended with %v", err)
				}
			}
			begin := time.Now()
			f.Close()
			if took := time.Since(begin); took > f.StallTimeout/2 {
				t.Errorf("Close took %v", took)
			}
		})
	}
}
