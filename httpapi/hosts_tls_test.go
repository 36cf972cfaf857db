package httpapi

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/members/certs"
	"pando/stats"
)

// serveTLS serves a fixture over TLS, with a configuration of the Server. It returns a client of a protocol, which connects to the
// server for any host.
func serveTLS(t *testing.T, change func(*Config)) (clients map[string]*http.Client, metrics *stats.Metrics) {
	t.Helper()
	secure := newSecureFixture(t, func(o *certs.Options) { o.Files.CA = "" })
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		StartTimeout: time.Minute, Metrics: stats.NewMetrics(stats.Build{}), BodyTimeout: time.Minute, StallTimeout: time.Minute,
		Connections: ConnectionLimits{Client: 100}, Logger: zap.NewNop(),
	}
	change(&cfg)
	f := newFixture(t, func(c *MemberConfig) { c.Metrics, c.Limits = cfg.Metrics, cfg.Limits })
	s := NewServer(cfg)
	s.Serve(Listeners{Client: []Listener{{Listener: socket, TLS: secure.source}}})
	s.Open(f.Handlers(func(func(string, http.HandlerFunc)) {}))
	t.Cleanup(func() {
		f.endWaitingRequests()
		s.Close()
	})
	clients = map[string]*http.Client{}
	for protocol, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		transport := &http.Transport{
			TLSClientConfig: secure.config.Clone(), ForceAttemptHTTP2: http2,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, socket.Addr().String())
			},
		}
		t.Cleanup(transport.CloseIdleConnections)
		clients[protocol] = &http.Client{Transport: transport, Timeout: 20 * time.Second}
	}
	return clients, cfg.Metrics
}

// TestHostWhitelistOverTLS sends requests for hosts over TLS, where HTTP/2 has the host in :authority.
func TestHostWhitelistOverTLS(t *testing.T) {
	clients, metrics := serveTLS(t, func(c *Config) { c.HostWhitelist = []string{"foo.org"} })
	for protocol, client := range clients {
		for url, want := range map[string]int{
			"https://foo.org/v2/keys/": 200, "https://FOO.org:1234/v2/keys/": 200, "https://evil.com/v2/keys/": 421,
		} {
			t.Run(protocol+" "+url, func(t *testing.T) {
				resp, err := client.Get(url)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if resp.StatusCode != want || resp.Proto != protocol {
					t.Errorf("got %s %s, want %d", resp.Proto, resp.Status, want)
				}
			})
		}
	}
	awaitMetric(t, metrics, `pando_requests_refused_total{reason="host"} 2`)
}

// TestMaxWatchesOverHTTP2 opens a watch on a connection that it shares with other requests. Its handler runs as long as the watch, and
// still the watch does not count as a request.
func TestMaxWatchesOverHTTP2(t *testing.T) {
	clients, metrics := serveTLS(t, func(c *Config) { c.Limits = NewLimits(1, 1, c.Metrics) })
	client := clients["HTTP/2.0"]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://localhost/v2/keys/a?wait=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(watch)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	awaitMetric(t, metrics, "pando_inflight_requests 0")
	status := func(query string) int {
		t.Helper()
		resp, err := client.Get("https://localhost/v2/keys/" + query)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if got := status(""); got != http.StatusOK {
		t.Errorf("a read beside the watch gets %d", got)
	}
	if got := status("?wait=true"); got != http.StatusServiceUnavailable {
		t.Errorf("a second watch gets %d", got)
	}
	cancel()
	awaitMetric(t, metrics, "pando_watches 0")
	awaitMetric(t, metrics, "pando_inflight_requests 0")
}

// FuzzHostName checks that a name has one form, with and without a port, in upper and lower case.
func FuzzHostName(f *testing.F) {
	for _, seed := range []string{"Example.com.", "[::1]", "::1", "10.0.0.1", "", "a:b:c", "[", "[]:1", "."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		got := hostName(host)
		if strings.ContainsAny(got, "[]") {
			return // no host
		}
		if again := hostName(net.JoinHostPort(got, "80")); got != "" && again != got && again+"." != got {
			t.Errorf("%q is %q, and with a port %q", host, got, again)
		}
	})
}
