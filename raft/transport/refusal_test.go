package transport

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"pando/members"
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
				case <-time.After(StreamTimeout - time.Second):
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

// TestUnknownMember connects a member that is not in the other's list. It must be refused until it is added.
func TestUnknownMember(t *testing.T) {
	b := newEndpoint(t, 2, nil)
	a := newEndpoint(t, 12, nil)
	a.connect(b)
	b.await("the reports of the unknown member", func() bool { return b.unknownSenders.Load() > 1 })
	if !b.LastReceived(12).IsZero() {
		t.Error("a request of an unknown member counts as received")
	}
	b.mu.Lock()
	b.added = 12
	b.mu.Unlock()
	a.deliver(b)
}

// TestRefusedBodies sends requests without the headers, with many forms of bodies. Each must be refused at once, and the
// server must not panic.
func TestRefusedBodies(t *testing.T) {
	b := newEndpoint(t, 2, nil)
	var serverLog bytes.Buffer
	b.server.Config.ErrorLog.SetOutput(&serverLog)
	for _, path := range []string{streamPath, snapshotPath, logPath, leasePath} {
		for name, body := range map[string]string{
			"none":      "Content-Length: 0\r\n\r\n",
			"small":     "Content-Length: 5\r\n\r\nhello",
			"unsent":    "Content-Length: 100\r\n\r\nhello",
			"long":      fmt.Sprintf("Content-Length: %d\r\n\r\n%s", 400<<10, strings.Repeat("x", 400<<10)),
			"endless":   "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
			"expecting": "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
		} {
			t.Run(name+path, func(t *testing.T) {
				conn, err := net.Dial("tcp", b.server.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if err := conn.SetDeadline(time.Now().Add(StreamTimeout - time.Second)); err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: b\r\n"+body); err != nil {
					t.Fatal(err)
				}
				answer := make([]byte, 12)
				if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 412" {
					t.Errorf("answer %q, %v", answer, err)
				}
			})
		}
	}
	b.server.CloseClientConnections()
	b.server.Close()
	if s := serverLog.String(); strings.Contains(s, "panic") {
		t.Error(s)
	}
}

// TestRemovalByAnotherServer responds with status 410 at a peer's URL, as a server that is not the peer. The transport must
// not call Removed.
func TestRemovalByAnotherServer(t *testing.T) {
	for name, header := range map[string]http.Header{
		"no member":       {},
		"another cluster": {headerCluster: {"8"}, headerFrom: {"2"}},
		"another member":  {headerCluster: {"7"}, headerFrom: {"3"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newEndpoint(t, 1, nil)
			answers := make(chan struct{}, 1000)
			server := newAnsweringServer(t, func(w http.ResponseWriter) {
				for key, values := range header {
					w.Header()[http.CanonicalHeaderKey(key)] = values
				}
				w.WriteHeader(http.StatusGone)
				answers <- struct{}{}
			})
			a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{server}}})
			for range 3 {
				<-answers
			}
			if a.removals.Load() > 0 {
				t.Error("the member reports its removal")
			}
		})
	}
}
