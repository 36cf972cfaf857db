package httpapi

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/stats"
)

// TestHosts checks which hosts are allowed.
func TestHosts(t *testing.T) {
	list := newHosts([]string{"Example.com", "foo.org.", "10.0.0.1", "::1", "localhost"})
	for host, want := range map[string]bool{
		"example.com": true, "EXAMPLE.com:88": true, "foo.org": true, "foo.org.:1": true, "10.0.0.1:2379": true, "[::1]:2379": true,
		"[0:0::1]": true, "::ffff:10.0.0.1": true, "localhost:2379": true,
		"": false, "evil.com": false, "example.com.evil.com": false, "10.0.0.2": false, "[::2]": false, "*": false,
	} {
		if _, got := list[hostName(host)]; got != want {
			t.Errorf("%q: allowed is %v", host, got)
		}
	}
	for _, all := range [][]string{nil, {"*"}, {"a", "*"}} {
		if newHosts(all) != nil {
			t.Errorf("%q does not allow all", all)
		}
	}
}

// serveMember serves a fixture with a configuration of the Server, from real listeners.
func serveMember(t *testing.T, change func(*Config)) Listeners {
	t.Helper()
	cfg := Config{
		StartTimeout: time.Minute, Metrics: stats.NewMetrics(stats.Build{}), BodyTimeout: time.Minute, StallTimeout: time.Minute,
		Connections: ConnectionLimits{Client: 100, Peer: 100, Metrics: 100}, Logger: zap.NewNop(),
	}
	change(&cfg)
	f := newFixture(t, func(c *MemberConfig) { c.Metrics, c.Limits, c.HideMetrics = cfg.Metrics, cfg.Limits, cfg.HideMetrics })
	s := NewServer(cfg)
	l := listenLocal(t)
	s.Serve(l)
	s.Open(f.Handlers(func(func(string, http.HandlerFunc)) {}))
	t.Cleanup(func() {
		f.endWaitingRequests()
		s.Close()
	})
	return l
}

// exchange sends bytes on a new connection and returns the status and the body of the first response.
func exchange(t *testing.T, address, request string) (status int, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	go func() { _, _ = io.WriteString(conn, request) }() // the server may respond before it has read all
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// TestHostWhitelist sends requests for hosts to the listeners of a member.
func TestHostWhitelist(t *testing.T) {
	l := serveMember(t, func(c *Config) { c.HostWhitelist = []string{"foo.org"} })
	client, peer, metrics := l.Client[0].Addr().String(), l.Peer[0].Addr().String(), l.Metrics[0].Addr().String()
	const end = "Connection: close\r\n\r\n"
	for _, tc := range []struct {
		name, address, request string
		want                   int
	}{
		{"a listed host", client, "GET /v2/keys/ HTTP/1.1\r\nHost: FOO.org:1\r\n" + end, 200},
		{"another host", client, "GET /v2/keys/ HTTP/1.1\r\nHost: evil.com\r\n" + end, 421},
		{"an address", client, "GET /v2/keys/ HTTP/1.1\r\nHost: " + client + "\r\n" + end, 421},
		{"a question before", client, "OPTIONS /v2/keys/ HTTP/1.1\r\nHost: evil.com\r\nOrigin: http://evil.com\r\n" + end, 421},
		{"no host", client, "GET /v2/keys/ HTTP/1.0\r\n\r\n", 421},
		{"an empty host", client, "GET /v2/keys/ HTTP/1.1\r\nHost: \r\n" + end, 421},
		{"a whole URL for another host", client, "GET http://evil.com/v2/keys/ HTTP/1.1\r\nHost: foo.org\r\n" + end, 421},
		{"a whole URL for the host", client, "GET http://foo.org/v2/keys/ HTTP/1.1\r\nHost: evil.com\r\n" + end, 200},
		{"health for another host", client, "GET /health HTTP/1.1\r\nHost: evil.com\r\n" + end, 421},
		{"two hosts", client, "GET /v2/keys/ HTTP/1.1\r\nHost: foo.org\r\nHost: evil.com\r\n" + end, 400},
		{"a malformed host", client, "GET /v2/keys/ HTTP/1.1\r\nHost: foo.org evil.com\r\n" + end, 400},
		{"peers", peer, "GET /members HTTP/1.1\r\nHost: evil.com\r\n" + end, 200},
		{"the metrics URLs", metrics, "GET /health HTTP/1.1\r\nHost: evil.com\r\n" + end, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, body := exchange(t, tc.address, tc.request)
			if status != tc.want || status == 421 && !strings.Contains(body, "--host-whitelist") {
				t.Errorf("got %d %s, want %d", status, body, tc.want)
			}
		})
	}
}
