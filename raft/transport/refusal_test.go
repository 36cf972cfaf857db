package transport

import (
	"io"
	"net/http"
	"testing"
	"time"
)

// TestRefusals sends requests that are refused. Each must get its response at once, although its body has no end.
func TestRefusals(t *testing.T) {
	b := newEndpoint(t, 2, nil)
	b.remove(9)
	for name, test := range map[string]struct {
		method, from, to, cluster, protocol string
		want                                int
	}{
		"method":    {"GET", "1", "2", "7", "2", http.StatusMethodNotAllowed},
		"protocol":  {"POST", "1", "2", "7", "0", http.StatusPreconditionFailed},
		"cluster":   {"POST", "1", "2", "8", "2", http.StatusPreconditionFailed},
		"member":    {"POST", "1", "3", "7", "2", http.StatusPreconditionFailed},
		"no sender": {"POST", "", "2", "7", "2", http.StatusBadRequest},
		"own ID":    {"POST", "2", "2", "7", "2", http.StatusBadRequest},
		"removed":   {"POST", "9", "2", "7", "2", http.StatusGone},
		"unknown":   {"POST", "99", "2", "7", "2", http.StatusForbidden},
	} {
		for _, path := range []string{streamPath, snapshotPath} {
			t.Run(name+path, func(t *testing.T) {
				endless, w := io.Pipe()
				defer w.Close()
				req, err := http.NewRequestWithContext(t.Context(), test.method, b.server.URL+path, endless)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set(headerFrom, test.from)
				req.Header.Set(headerTo, test.to)
				req.Header.Set(headerCluster, test.cluster)
				req.Header.Set(headerProtocol, test.protocol)
				answer := make(chan int, 1)
				// Unlike the client of NewClient, this client keeps its connections.
				client := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
				defer client.CloseIdleConnections()
				go func() {
					resp, err := client.Do(req)
					if err != nil {
						t.Error(err)
						answer <- 0
						return
					}
					_ = resp.Body.Close()
					answer <- resp.StatusCode
				}()
				select {
				case got := <-answer:
					if got != test.want {
						t.Errorf("status %d, want %d", got, test.want)
					}
				case <-time.After(StreamTimeout / 2):
					t.Error("no response while the request has not ended")
				}
			})
		}
	}
}

// TestRemovedMember removes member 1 from the cluster. Its transport must call Removed, except in another cluster.
func TestRemovedMember(t *testing.T) {
	t.Run("before it connects", func(t *testing.T) {
		a, b := newEndpoint(t, 1, nil), newEndpoint(t, 2, nil)
		b.remove(1)
		a.connect(b)
		a.await("the report of the removal", func() bool { return a.removals.Load() > 0 })
	})
	t.Run("with a stream", func(t *testing.T) {
		a, b := newEndpoint(t, 1, nil), newEndpoint(t, 2, nil)
		a.connect(b)
		a.deliver(b)
		b.remove(1)
		a.await("the report of the removal", func() bool { return a.removals.Load() > 0 })
	})
	t.Run("of another cluster", func(t *testing.T) {
		a, b := newEndpoint(t, 1, func(c *Config) { c.Cluster = 8 }), newEndpoint(t, 2, nil)
		b.remove(1)
		a.connect(b)
		a.await("some attempts", func() bool { return a.lost.Load() > 3 })
		if a.removals.Load() > 0 {
			t.Error("a member of another cluster reports its removal")
		}
	})
}
