package httpapi

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// openWatch begins a watch on a new connection and returns the connection after the head of the response.
func openWatch(t *testing.T, address, query string) (net.Conn, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	mustSend(t, conn, "GET /v2/keys/a?"+query+" HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn, resp
}

// TestMaxWatches opens watches up to the limit. They do not count as requests.
func TestMaxWatches(t *testing.T) {
	var cfg Config
	l := serveMember(t, func(c *Config) {
		c.Limits = NewLimits(2, 2, c.Metrics) // a request counts for a moment after its response
		cfg = *c
	})
	address := l.Client[0].Addr().String()
	first, resp := openWatch(t, address, "wait=true")
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	if _, resp := openWatch(t, address, "wait=true&stream=true"); resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	awaitMetric(t, cfg.Metrics, "pando_watches 2")
	awaitMetric(t, cfg.Metrics, "pando_inflight_requests 0")

	status, body := exchange(t, address, "GET /v2/keys/a?wait=true HTTP/1.1\r\nHost: x\r\n\r\n")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, `"errorCode":300`) || !strings.Contains(body, "--max-watches") {
		t.Errorf("a watch over the limit gets %d %s", status, body)
	}
	awaitMetric(t, cfg.Metrics, `pando_requests_refused_total{reason="watches"} 1`)
	if status, body := exchange(t, address, "GET /v2/keys/ HTTP/1.1\r\nHost: x\r\n\r\n"); status != http.StatusOK {
		t.Errorf("a read beside the watches gets %d %s", status, body)
	}

	_ = first.Close()
	awaitMetric(t, cfg.Metrics, "pando_watches 1")
	if _, resp := openWatch(t, address, "wait=true"); resp.StatusCode != http.StatusOK {
		t.Errorf("a watch after the end of another gets %s", resp.Status)
	}
	status, _ = exchange(t, address, "GET /v2/keys/a?wait=true&waitIndex=nonsense HTTP/1.1\r\nHost: x\r\n\r\n")
	if status != http.StatusBadRequest {
		t.Errorf("a malformed watch gets %d", status)
	}
	awaitMetric(t, cfg.Metrics, "pando_watches 2")
}

// TestMaxRequests sends requests while another one waits for its body.
func TestMaxRequests(t *testing.T) {
	var cfg Config
	l := serveMember(t, func(c *Config) {
		c.Limits = NewLimits(1, 10, c.Metrics)
		cfg = *c
	})
	address := l.Client[0].Addr().String()
	slow, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	mustSend(t, slow, "PUT /v2/keys/a HTTP/1.1\r\nHost: x\r\nContent-Type: "+formType+"\r\nContent-Length: 7\r\n\r\n")
	awaitMetric(t, cfg.Metrics, "pando_inflight_requests 1")
	for path, kind := range map[string]string{"/v2/keys/": `{"errorCode":300,`, "/v2/members": `{"message":"`} {
		status, body := exchange(t, address, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		if status != http.StatusServiceUnavailable || !strings.HasPrefix(body, kind) || !strings.Contains(body, "--max-inflight-requests") {
			t.Errorf("%s over the limit gets %d %s", path, status, body)
		}
	}
	for _, path := range []string{"/health", "/metrics"} {
		if status, _ := exchange(t, address, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); status != http.StatusOK {
			t.Errorf("%s over the limit gets %d", path, status)
		}
	}
	awaitMetric(t, cfg.Metrics, `pando_requests_refused_total{reason="inflight_requests"} 2`)
	mustSend(t, slow, "value=1")
	awaitMetric(t, cfg.Metrics, "pando_inflight_requests 0")
	if status, _ := exchange(t, address, "GET /v2/keys/a HTTP/1.1\r\nHost: x\r\n\r\n"); status != http.StatusOK {
		t.Errorf("a request within the limit gets %d", status)
	}
}

// TestMaxHeader sends heads that are too long.
func TestMaxHeader(t *testing.T) {
	l := serveMember(t, func(c *Config) { c.MaxHeaderBytes = 8 << 10 })
	address := l.Client[0].Addr().String()
	for name, request := range map[string]string{
		"one header":   "GET /v2/keys/ HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 20<<10) + "\r\n\r\n",
		"many headers": "GET /v2/keys/ HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: x\r\n", 4<<10) + "\r\n",
		"the path":     "GET /v2/keys/" + strings.Repeat("x", 20<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			if status, body := exchange(t, address, request); status != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("got %d %s", status, body)
			}
		})
	}
}

// TestHideMetrics serves the metrics only on the metrics URLs.
func TestHideMetrics(t *testing.T) {
	l := serveMember(t, func(c *Config) { c.HideMetrics = On })
	for _, tc := range []struct {
		listener net.Listener
		path     string
		want     int
	}{{l.Client[0], "/metrics", 404}, {l.Client[0], "/health", 200}, {l.Metrics[0], "/metrics", 200}, {l.Metrics[0], "/health", 200}} {
		status, _ := exchange(t, tc.listener.Addr().String(), "GET "+tc.path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		if status != tc.want {
			t.Errorf("%s gets %d, want %d", tc.path, status, tc.want)
		}
	}
}
