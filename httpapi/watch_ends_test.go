package httpapi

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pando/tree"
)

// TestServerSentSnapshot replaces the tree, as a member does that catches up from a snapshot. A browser must be sent that events were lost,
// because it connects again with the last ID.
func TestServerSentSnapshot(t *testing.T) {
	for name, start := range watchServers {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			server := serveFixture(t, f, start)
			resp := startWatch(t, server, "/v2/keys/a?wait=true", "Accept", eventsType)
			mustText(t, resp.Body, "retry: 1000\nid: 1\n\n")
			loaded := tree.New(1000)
			for range 5 {
				loaded.Apply(1, []tree.Command{{Op: tree.OpSet, Path: "/a"}})
			}
			f.Service.Tree.Replace(loaded)
			body, err := io.ReadAll(resp.Body)
			if err != nil || !strings.HasPrefix(string(body), "event: cleared\nid: 6\ndata: {\"errorCode\":400,") {
				t.Errorf("got %q, %v", body, err)
			}
		})
	}
}

// TestServerSentText checks that no value or key ends a line of a server-sent event.
func TestServerSentText(t *testing.T) {
	f := newFixture(t, nil)
	server := serveFixture(t, f, (*httptest.Server).Start)
	resp := startWatch(t, server, "/v2/keys/t?wait=true&recursive=true", "Accept", eventsType)
	f.do("PUT", "/v2/keys/t/line%0Aend%0D?prevExist=false", "value=a%0Ab%0D%0A%0Adata: c%E2%80%A8d%00%FF")
	mustText(t, resp.Body, "retry: 1000\nid: 1\n\nid: 2\ndata: {\"action\":\"create\",\"node\":{\"key\":\"/t/line\\nend\\r\","+
		"\"value\":\"a\\nb\\r\\n\\ndata: c\\u2028d\\u0000\\ufffd\",\"modifiedIndex\":2,\"createdIndex\":2}}\n\n")
}

// TestEndWithoutHeader ends watches whose header waits for an event (timeoutStatus=204).
func TestEndWithoutHeader(t *testing.T) {
	const target = "/v2/keys/a?wait=true&waitTimeout=60&timeoutStatus=204"
	begin := func(ctx context.Context, t *testing.T, f *fixture, server *httptest.Server) <-chan error {
		result := make(chan error, 1)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			resp, err := server.Client().Do(r)
			if err == nil {
				_ = resp.Body.Close()
			}
			result <- err
		}()
		await(t, "the watch", func() bool { return f.Service.Tree.Watchers() == 1 })
		return result
	}
	for name, start := range watchServers {
		t.Run(name+", the server shuts down", func(t *testing.T) {
			f := newFixture(t, func(c *MemberConfig) { c.Limits = NewLimits(10, 10, c.Metrics) })
			server := serveFixture(t, f, start)
			result := begin(t.Context(), t, f, server)
			f.streams.Close()
			if err := <-result; err == nil {
				t.Error("the client got a response")
			}
			await(t, "the end of the watch", func() bool { return f.Service.Tree.Watchers() == 0 && f.Limits.watches.Open() == 0 })
		})
	}
	t.Run("HTTP/2, the client goes away", func(t *testing.T) {
		f := newFixture(t, func(c *MemberConfig) { c.Limits = NewLimits(10, 10, c.Metrics) })
		server := serveFixture(t, f, watchServers["HTTP/2"])
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		result := begin(ctx, t, f, server)
		cancel()
		<-result
		await(t, "the end of the watch", func() bool { return f.Service.Tree.Watchers() == 0 && f.Limits.watches.Open() == 0 })
	})
}

// TestLimitOfWatchedPaths checks that each path of a watch counts for --max-watches, and that the end of the watch ends all of them.
func TestLimitOfWatchedPaths(t *testing.T) {
	f := newFixture(t, func(c *MemberConfig) { c.Limits = NewLimits(100, 4, c.Metrics) })
	server := serveFixture(t, f, (*httptest.Server).Start)
	resp := startWatch(t, server, "/v2/keys/a?wait=true&stream=true&path=1&path=2&path=3")
	for query, want := range map[string]int{"path=4&path=5": http.StatusServiceUnavailable, "path=4": http.StatusNoContent} {
		if got := startWatch(t, server, "/v2/keys/a?wait=true&waitTimeout=0&timeoutStatus=204&"+query); got.StatusCode != want {
			t.Errorf("%s: got %s", query, got.Status)
		}
	}
	_ = resp.Body.Close()
	await(t, "the end of the watch", func() bool { return f.Limits.watches.Open() == 0 })
	for range 3 {
		resp := startWatch(t, server, "/v2/keys/a?wait=true&waitTimeout=0.01&path=1&path=2&path=3&path=4")
		if _, err := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || err != nil {
			t.Errorf("got %s, %v", resp.Status, err)
		}
		await(t, "the end of the watch", func() bool { return f.Limits.watches.Open() == 0 })
	}
}

// TestTimeoutWithoutReader lets a watch end by its timeout while a client does not read a large event. The client must get the whole event
// and the end of the body.
func TestTimeoutWithoutReader(t *testing.T) {
	for name, start := range watchServers {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			server := serveFixture(t, f, start)
			value := strings.Repeat("v", 8<<20)
			f.Service.Tree.Apply(1, []tree.Command{{Op: tree.OpSet, Path: "/a", Value: value}})
			began := time.Now()
			resp := startWatch(t, server, "/v2/keys/a?wait=true&stream=true&waitTimeout=0.5&heartbeat=1&waitIndex=2", "Accept", eventsType)
			await(t, "the timeout", func() bool { return time.Since(began) > time.Second })
			body, err := io.ReadAll(resp.Body)
			text := strings.TrimSuffix(string(body), ":\n\n") // a heartbeat may come last
			if err != nil || !strings.HasSuffix(text, "}\n\n") || strings.Count(text, "v") < len(value) {
				t.Errorf("got %d bytes, %v", len(body), err)
			}
			await(t, "the end of the watch", func() bool { return f.Service.Tree.Watchers() == 0 })
		})
	}
}
