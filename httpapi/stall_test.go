package httpapi

import (
	"fmt"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// stallingServer serves a fixture with a short StallTimeout.
func stallingServer(t *testing.T, start func(*httptest.Server)) (*fixture, *httptest.Server) {
	f := newFixture(t, func(c *MemberConfig) { c.StallTimeout, c.MaxRequestBytes = 200*time.Millisecond, 20<<20 })
	return f, serveFixture(t, f, start)
}

// sendWithoutReading opens a connection, sends a request and reads nothing.
func sendWithoutReading(t *testing.T, server *httptest.Server, target string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.(*net.TCPConn).SetReadBuffer(8 << 10)
	mustSend(t, c, "GET "+target+" HTTP/1.1\r\nHost: x\r\n\r\n")
	return c
}

// TestStalledClients checks that a client that reads nothing of a long list or of a stream is cut off, and that its memory is
// released.
func TestStalledClients(t *testing.T) {
	form := url.Values{"value": {strings.Repeat("v", 1<<20)}}.Encode()
	for name, target := range map[string]string{
		"list":   "/v2/keys/l?recursive=true",
		"stream": "/v2/keys/l?recursive=true&wait=true&stream=true&waitIndex=2",
	} {
		t.Run(name, func(t *testing.T) {
			f, server := stallingServer(t, (*httptest.Server).Start)
			for i := range 20 {
				f.do("PUT", fmt.Sprintf("/v2/keys/l/%d", i), form)
			}
			sendWithoutReading(t, server, target)
			f.awaitMetric(t, "pando_stalled_clients_total 1")
			f.awaitMetric(t, "pando_inflight_bytes 0")
			await(t, "the watch to end", func() bool { return f.Service.Tree.Watchers() == 0 })
		})
	}
}
