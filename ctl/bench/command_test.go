package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

// runBench runs a command line and returns what it printed.
func runBench(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	app := &cli.App{
		Name: "test", Commands: []*cli.Command{Command()}, Writer: &out, ErrWriter: io.Discard,
		ExitErrHandler: func(*cli.Context, error) {}, // the test looks at the error itself
	}
	err := app.RunContext(ctx, append([]string{"test", "bench"}, args...))
	return out.String(), err
}

// A fakeServer answers the requests of a load: it keeps values, and logs the requests.
type fakeServer struct {
	mu     sync.Mutex
	values map[string]string
	log    []string
}

func newFakeServer(t *testing.T) (*fakeServer, string) {
	t.Helper()
	k := &fakeServer{values: map[string]string{}}
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	return k, server.URL
}

func (k *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.log = append(k.log, r.Method+" "+r.URL.RequestURI())
	switch _, there := k.values[r.URL.Path]; {
	case r.Method == "PUT":
		if !there {
			w.WriteHeader(http.StatusCreated)
		}
		k.values[r.URL.Path] = r.FormValue("value")
		fmt.Fprintln(w, `{"action":"set"}`)
	case r.URL.Query().Has("recursive"):
		for path := range k.values {
			if strings.HasPrefix(path, r.URL.Path) {
				fmt.Fprint(w, `{"value":"x"}`)
			}
		}
	case there:
		fmt.Fprintf(w, "{\"value\":%q}\n", k.values[r.URL.Path])
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, "{\"errorCode\":100,\"cause\":%q}\n", r.URL.Path)
	}
}

func (k *fakeServer) count(prefix string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for _, line := range k.log {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

func TestLoads(t *testing.T) {
	for _, test := range []struct {
		name     string
		args     []string
		requests map[string]int // by beginning of the request
	}{
		{"put", []string{"put", "--total", "500", "--conns", "4"}, map[string]int{"PUT /v2/keys/bench/": 500}},
		{"put of every key once", []string{"put", "--total", "50", "--key-space-size", "50", "--sequential-keys", "--clients", "3",
			"--prefix", "x/y"},
			map[string]int{"PUT /v2/keys/x/y/": 50, "PUT /v2/keys/x/y/00000049": 1, "PUT /v2/keys/x/y/00000000": 1}},
		{"more clients than connections", []string{"put", "--total", "100", "--conns", "2", "--clients", "8"}, map[string]int{"PUT ": 100}},
		{"get", []string{"get", "--total", "300", "--key-space-size", "20"}, map[string]int{"PUT ": 20, "GET /v2/keys/bench/": 300}},
		{"quorum get", []string{"get", "--quorum", "--total", "30", "--key-space-size", "1", "--directories", "10"},
			map[string]int{"PUT ": 1, "GET /v2/keys/bench/0/00000000?quorum=true": 30}},
		{"list", []string{"list", "--total", "30", "--key-space-size", "20"},
			map[string]int{"PUT ": 20, "GET /v2/keys/bench/list-20x8x8?recursive=true&sorted=true": 31}},
		{"mixed, reads alone", []string{"mixed", "--total", "30", "--read-ratio", "1", "--key-space-size", "5"}, map[string]int{"GET ": 30,
			"PUT ": 5}},
		{"mixed, writes alone", []string{"mixed", "--total", "30", "--read-ratio", "0", "--key-space-size", "5"}, map[string]int{"GET ": 0,
			"PUT ": 35}},
	} {
		t.Run(test.name, func(t *testing.T) {
			k, url := newFakeServer(t)
			out, err := runBench(t.Context(), append(test.args, "--endpoints", url)...)
			if err != nil {
				t.Fatal(err)
			}
			for prefix, want := range test.requests {
				if got := k.count(prefix); got != want {
					t.Errorf("%d requests %q, want %d", got, prefix, want)
				}
			}
			for _, text := range []string{"throughput", "0 failed", "p99.9", "histogram", "∎"} {
				if !strings.Contains(out, text) {
					t.Errorf("%q is missing in\n%s", text, out)
				}
			}
		})
	}
}

func TestJSON(t *testing.T) {
	_, url := newFakeServer(t)
	out, err := runBench(t.Context(), "mixed", "--endpoints", url, "--total", "200", "--key-space-size", "10", "--json", "--conns", "2")
	if err != nil {
		t.Fatal(err)
	}
	var r result
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Workload != "mixed" || r.Target != url || r.Requests != 200 || r.Succeeded != 200 || r.Throughput <= 0 || r.Latency.P50 <= 0 {
		t.Errorf("%+v", r)
	}
	if r.Parts[0].Count+r.Parts[1].Count != 200 || r.Setting["conns"] != "2" || r.Setting["clients"] != "2" {
		t.Errorf("%+v", r)
	}
}

func TestErrorsAreCountedAndShown(t *testing.T) {
	_, url := newFakeServer(t)
	out, err := runBench(t.Context(), "get", "--skip-prepare", "--endpoints", url, "--total", "20", "--key-space-size", "1")
	if !errors.Is(err, errFailures) {
		t.Errorf("got error %v, want errFailures", err)
	}
	for _, text := range []string{"20 failed", "HTTP 404", `the first: {"errorCode":100,"cause":"/v2/keys/bench/00000000"}`} {
		if !strings.Contains(out, text) {
			t.Errorf("%q is missing in\n%s", text, out)
		}
	}
	t.Run("a put answered with another 2xx", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
		defer server.Close()
		if out, err := runBench(t.Context(), "put", "--endpoints", server.URL, "--total", "3"); !errors.Is(err, errFailures) ||
			!strings.Contains(out, "HTTP 204") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("a server that drops connections", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
		defer server.Close()
		if out, err := runBench(t.Context(), "put", "--endpoints", server.URL, "--total", "3"); !errors.Is(err, errFailures) ||
			!strings.Contains(out, "connection closed by the server") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("a server that is too slow", func(t *testing.T) {
		release := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
		defer server.Close()
		defer close(release)
		if out, err := runBench(t.Context(), "put", "--endpoints", server.URL, "--total", "1", "--timeout", "50ms"); !errors.Is(err,
			errFailures) || !strings.Contains(out, "timeout") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		url := server.URL
		server.Close()
		if _, err := runBench(t.Context(), "put", "--endpoints", url); !errors.Is(err, errTarget) || !strings.Contains(err.Error(), url) {
			t.Errorf("got %v", err)
		}
	})
}

func TestClosingServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }))
	defer server.Close()
	if out, err := runBench(t.Context(), "put", "--endpoints", server.URL, "--total", "20", "--conns", "2"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestLimits(t *testing.T) {
	t.Run("duration", func(t *testing.T) {
		_, url := newFakeServer(t)
		out, err := runBench(t.Context(), "put", "--endpoints", url, "--duration", "200ms", "--json")
		var r result
		if err := errors.Join(err, json.Unmarshal([]byte(out), &r)); err != nil {
			t.Fatal(err)
		}
		if r.Seconds < 0.1 || r.Seconds > 20 || r.Succeeded == 0 {
			t.Errorf("%v s, %d requests", r.Seconds, r.Succeeded)
		}
	})
	t.Run("rate", func(t *testing.T) {
		_, url := newFakeServer(t)
		out, err := runBench(t.Context(), "put", "--endpoints", url, "--rate", "500", "--total", "100", "--conns", "4", "--json")
		var r result
		if err := errors.Join(err, json.Unmarshal([]byte(out), &r)); err != nil {
			t.Fatal(err)
		}
		if r.Succeeded != 100 || r.Seconds < 0.195 {
			t.Errorf("%d requests in %v s: faster than 500/s", r.Succeeded, r.Seconds)
		}
	})
	t.Run("a stall is charged to every request it delayed", func(t *testing.T) {
		var once sync.Once
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			once.Do(func() { <-time.After(200 * time.Millisecond) })
		}))
		defer server.Close()
		out, err := runBench(t.Context(), "put", "--endpoints", server.URL, "--rate", "1000", "--total", "200", "--json")
		var r result
		if err := errors.Join(err, json.Unmarshal([]byte(out), &r)); err != nil {
			t.Fatal(err)
		}
		if r.Latency.P50 < 20_000 {
			t.Errorf("p50 is %v us, though all but the first were due during a stall of 200 ms", r.Latency.P50)
		}
	})
	t.Run("warm-up is not counted", func(t *testing.T) {
		k, url := newFakeServer(t)
		out, err := runBench(t.Context(), "put", "--endpoints", url, "--warmup", "500ms", "--total", "10", "--json")
		var r result
		if err := errors.Join(err, json.Unmarshal([]byte(out), &r)); err != nil {
			t.Fatal(err)
		}
		if r.Requests != 10 || k.count("PUT") <= 10 {
			t.Errorf("%d counted of %d made", r.Requests, k.count("PUT"))
		}
	})
}

func TestInterrupt(t *testing.T) {
	for _, load := range []string{"put", "lock"} {
		t.Run(load, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var seen sync.Once
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if load == "lock" && r.Method == "PUT" {
					w.WriteHeader(http.StatusCreated)
				}
				fmt.Fprintln(w, `{"node":{"modifiedIndex":5}}`)
				seen.Do(func() { time.AfterFunc(500*time.Millisecond, cancel) })
			}))
			defer server.Close()
			out, err := runBench(ctx, load, "--endpoints", server.URL, "--total", "1000000000")
			var exit cli.ExitCoder
			if !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
				t.Errorf("got error %v, want exit code %d", err, exitInterrupted)
			}
			if !strings.Contains(out, "interrupted") || !strings.Contains(out, "p99.9") || !strings.Contains(out, " 0 failed") {
				t.Errorf("printed\n%s", out)
			}
		})
	}
	t.Run("a request without an answer does not hold it up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		release := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { cancel(); <-release }))
		defer server.Close()
		defer close(release)
		start := time.Now()
		out, _ := runBench(ctx, "put", "--endpoints", server.URL, "--timeout", "1h")
		if d := time.Since(start); d > time.Minute/2 || !strings.Contains(out, "interrupted") {
			t.Errorf("took %v and printed\n%s", d, out)
		}
	})
}

func TestCompare(t *testing.T) {
	k := &fakeServer{values: map[string]string{}}
	urls := map[string]string{}
	for _, name := range []string{"A", "B"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path = "/" + name + r.URL.Path // one log for both
			k.ServeHTTP(w, r)
		}))
		defer server.Close()
		urls[name] = server.URL
	}
	args := []string{"put", "--endpoints", urls["A"], "--compare", urls["B"], "--rounds", "3", "--total", "40", "--warmup", "0s"}
	out, err := runBench(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	order := ""
	for _, line := range k.log {
		server := strings.TrimPrefix(line, "PUT /")[:1]
		if !strings.HasSuffix(order, server) {
			order += server
		}
	}
	if order != "ABABAB" || k.count("PUT /A") != 120 || k.count("PUT /B") != 120 {
		t.Errorf("order %s, %d on A, %d on B", order, k.count("PUT /A"), k.count("PUT /B"))
	}
	if !strings.Contains(out, "median of 3 rounds") || strings.Count(out, "failed 0") != 6 {
		t.Errorf("printed\n%s", out)
	}
	out, err = runBench(t.Context(), append(args, "--json")...)
	var c comparison
	if err := errors.Join(err, json.Unmarshal([]byte(out), &c)); err != nil {
		t.Fatal(err)
	}
	if len(c.A) != 3 || len(c.B) != 3 || len(c.Ratios) != len(measures) || c.Ratios[0].Ratio <= 0 || c.Ratios[0].Min > c.Ratios[0].Max {
		t.Errorf("%+v", c)
	}
}

func TestTimeline(t *testing.T) {
	_, url := newFakeServer(t)
	file := filepath.Join(t.TempDir(), "seconds.csv")
	if _, err := runBench(t.Context(), "put", "--endpoints", url, "--rate", "200", "--total", "260", "--timeline", file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if lines[0] != "second,ops,p99.9_us,max_us" || len(lines) < 3 {
		t.Fatalf("got\n%s", text)
	}
	ops := 0
	for i, line := range lines[1:] {
		var second, n int
		var p999, most float64
		if _, err := fmt.Sscanf(line, "%d,%d,%f,%f", &second, &n, &p999, &most); err != nil || second != i+1 || p999 > most {
			t.Errorf("line %q: %v", line, err)
		}
		ops += n
	}
	if ops != 260 {
		t.Errorf("%d operations in all, want 260\n%s", ops, text)
	}
}

func TestTargetLeader(t *testing.T) {
	leader, leaderURL := newFakeServer(t)
	follower := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v2/stats/self":
			fmt.Fprint(w, `{"state":"StateFollower"}`)
		case "/v2/members/leader":
			fmt.Fprintf(w, `{"id":"1","clientURLs":[%q]}`, leaderURL)
		default:
			t.Errorf("a follower was asked for %s", r.URL)
		}
	}))
	defer follower.Close()
	if _, err := runBench(t.Context(), "put", "--endpoints", follower.URL, "--target-leader", "--total", "5"); err != nil {
		t.Fatal(err)
	}
	if leader.count("PUT") != 5 {
		t.Errorf("the leader was sent %v", leader.log)
	}
}

// TestInterruptedSearch: CTRL+C ends the search for a leader that does not answer.
func TestInterruptedSearch(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		interrupt()
		<-r.Context().Done()
	}))
	defer hanging.Close()
	began := time.Now()
	_, err := runBench(ctx, "put", "--endpoints", hanging.URL, "--target-leader")
	if exit, ok := errors.AsType[cli.ExitCoder](err); !ok || exit.ExitCode() != exitInterrupted {
		t.Errorf("got %v", err)
	}
	if d := time.Since(began); d > dialTimeout/2 {
		t.Errorf("it took %s", d)
	}
}
