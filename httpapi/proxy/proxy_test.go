package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

// startForwarding starts a proxy for one member whose responses have a status and headers of their own.
func startForwarding(t *testing.T) (*testProxy, *recorder) {
	t.Helper()
	member := newRecorder(t, func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"X-Etcd-Index": "7", "X-Raft-Term": "2", "Content-Type": "application/json",
			"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "accept",
			"Vary": "Origin",
		} {
			w.Header().Set(name, value)
		}
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "for %s", r.Header.Get("X-Forwarded-For"))
	})
	return startProxy(t, newCluster(t, member.URL), nil), member
}

func TestForward(t *testing.T) {
	p, member := startForwarding(t)
	for _, uri := range []string{
		"/v2/keys/a?wait=%zz&x;y=1", "/v2/keys//a/../b", "/v2/keys/a%2Fb%20c?recursive=true", "/health", "/v2/members", "/", "/nothing?",
	} {
		t.Run("unchanged "+uri, func(t *testing.T) {
			before := len(member.requests())
			got := do(t, http.MethodGet, p.URL+uri, nil)
			if got.status != http.StatusTeapot || got.body != "for 127.0.0.1" || got.header.Get("X-Etcd-Index") != "7" {
				t.Errorf("got %+v", got)
			}
			if seen := member.requests()[before:]; len(seen) != 1 || seen[0] != "GET "+uri+" " {
				t.Errorf("the member got %q", seen)
			}
		})
	}
	for _, method := range []string{"PUT", "POST", "DELETE", "PATCH"} {
		t.Run(method+" with a body", func(t *testing.T) {
			before := len(member.requests())
			if got := do(t, method, p.URL+"/v2/keys/x", strings.NewReader("value=1&ttl=%20")); got.status != http.StatusTeapot {
				t.Errorf("got %+v", got)
			}
			if seen := member.requests()[before:]; len(seen) != 1 || seen[0] != method+" /v2/keys/x value=1&ttl=%20" {
				t.Errorf("the member got %q", seen)
			}
		})
	}
	t.Run("OPTIONS", func(t *testing.T) {
		if got := do(t, http.MethodOptions, p.URL+"/v2/keys/x", nil); got.status != http.StatusOK || got.body != "" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestForwardedHeaders(t *testing.T) {
	p, _ := startForwarding(t)
	t.Run("CORS headers once", func(t *testing.T) {
		got := do(t, http.MethodGet, p.URL+"/v2/keys/x", nil)
		for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers"} {
			if values := got.header.Values(name); len(values) != 1 {
				t.Errorf("%s: %q", name, values)
			}
		}
	})
	t.Run("a client that sends Expect: 100-continue", func(t *testing.T) {
		r, err := http.NewRequest(http.MethodPut, p.URL+"/v2/keys/x", strings.NewReader("value=1"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Expect", "100-continue")
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			if code != http.StatusContinue || len(h) > 0 {
				t.Errorf("the interim response is %d with %v", code, h)
			}
			return nil
		}})
		resp, err := (&http.Transport{ExpectContinueTimeout: testTimeout, DisableKeepAlives: true}).RoundTrip(r.WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if origin := resp.Header.Values("Access-Control-Allow-Origin"); resp.StatusCode != http.StatusTeapot || len(origin) != 1 {
			t.Errorf("got %s, for the origins %q", resp.Status, origin)
		}
	})
	t.Run("a page of another origin", func(t *testing.T) {
		for method, want := range map[string]int{http.MethodGet: http.StatusTeapot, http.MethodPut: http.StatusForbidden} {
			r, err := http.NewRequest(method, p.URL+"/v2/keys/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Origin", "http://example.com")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want || resp.Header.Get("Access-Control-Allow-Origin") != "" ||
				!slices.Equal(resp.Header.Values("Vary"), []string{"Origin"}) {
				t.Errorf("%s: %s, %v", method, resp.Status, resp.Header)
			}
		}
	})
	t.Run("no CORS headers for the state and the profiles", func(t *testing.T) {
		for _, path := range []string{"/v2/snapshot", "/debug/pprof/heap"} {
			got := do(t, http.MethodGet, p.URL+path, nil)
			if got.status != http.StatusTeapot || got.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %+v", path, got)
			}
		}
	})
}

func TestOwnAnswers(t *testing.T) {
	member := newRecorder(t, respondWith("{}"))
	metrics := func(c *Config) { c.Metrics = respondWith("own metrics") }
	t.Run("endpoints", func(t *testing.T) {
		p := startProxy(t, newCluster(t, member.URL), nil)
		got := do(t, http.MethodGet, p.URL+"/v2/config/local/proxy", nil)
		if got.status != 200 || got.body != fmt.Sprintf("{\"endpoints\":[%q]}\n", member.URL) ||
			got.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("got %+v", got)
		}
		if got := do(t, http.MethodPut, p.URL+"/v2/config/local/proxy", nil); got.status != http.StatusMethodNotAllowed {
			t.Errorf("PUT: %+v", got)
		}
	})
	t.Run("metrics", func(t *testing.T) {
		p := startProxy(t, newCluster(t, member.URL), metrics)
		if got := do(t, http.MethodGet, p.URL+"/metrics", nil); got.body != "own metrics" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("hidden metrics", func(t *testing.T) {
		p := startProxy(t, newCluster(t, member.URL), func(c *Config) { metrics(c); c.HideMetrics = true })
		if got := do(t, http.MethodGet, p.URL+"/metrics", nil); got.status != http.StatusNotFound {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("no endpoints", func(t *testing.T) {
		p := startProxy(t, newCluster(t), nil)
		for _, method := range []string{"GET", "PUT"} {
			got := do(t, method, p.URL+"/v2/keys/x", nil)
			if got.status != 503 || got.body != `{"message":"httpproxy: zero endpoints currently available"}` ||
				got.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %+v", method, got)
			}
		}
		if got := do(t, http.MethodGet, p.URL+"/v2/config/local/proxy", nil); got.body != "{\"endpoints\":[]}\n" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("read-only", func(t *testing.T) {
		p := startProxy(t, newCluster(t, member.URL), func(c *Config) { c.Mode = ReadOnly })
		before := len(member.requests())
		for _, method := range []string{"PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD"} {
			if got := do(t, method, p.URL+"/v2/keys/x", nil); got.status != http.StatusNotImplemented || got.body != "" {
				t.Errorf("%s: %+v", method, got)
			}
		}
		if n := len(member.requests()); n != before {
			t.Errorf("%d writes were passed on", n-before)
		}
		if got := do(t, http.MethodGet, p.URL+"/v2/keys/x", nil); got.status != 200 {
			t.Errorf("GET: %+v", got)
		}
	})
}

// TestStreams checks that each event of a stream is passed on at once, and that the member sees that the client goes away.
func TestStreams(t *testing.T) {
	events, gone := make(chan string), make(chan struct{})
	member := newRecorder(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Etcd-Index", "41")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case <-r.Context().Done():
				close(gone)
				return
			case event := <-events:
				_, _ = io.WriteString(w, event+"\n")
				_ = http.NewResponseController(w).Flush()
			}
		}
	})
	p := startProxy(t, newCluster(t, member.URL), nil)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/v2/keys/x?wait=true&stream=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r) // returns after the headers, before any event
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Header.Get("X-Etcd-Index") != "41" {
		t.Errorf("headers %v", resp.Header)
	}
	lines := bufio.NewReader(resp.Body)
	for i := range 3 {
		want := fmt.Sprint("event ", i)
		events <- want
		got, err := lines.ReadString('\n') // arrives before the next event is sent
		if err != nil || got != want+"\n" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	leave()
	await(t, "the end of the member's handler", func() bool {
		select {
		case <-gone:
			return true
		default:
			return false
		}
	})
	if n := len(p.endpoints.available()); n != 1 {
		t.Error("the member is excluded because the client went away")
	}
}
