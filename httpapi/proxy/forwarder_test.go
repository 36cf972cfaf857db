package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

func newTestForwarder(t *testing.T, change func(*ForwarderConfig)) *Forwarder {
	t.Helper()
	cfg := ForwarderConfig{FailureWait: time.Hour, DialTimeout: testTimeout, WriteTimeout: testTimeout, MaxIdle: 4, Logger: zap.NewNop()}
	if change != nil {
		change(&cfg)
	}
	f := NewForwarder(cfg)
	t.Cleanup(f.CloseIdleConnections)
	return f
}

// sendTo sends a request of a client host by a Forwarder, and returns the body of the response.
func sendTo(ctx context.Context, f *Forwarder, client, method string, urls ...string) (body string, inDoubt bool, err error) {
	r := httptest.NewRequestWithContext(ctx, method, "/v2/keys/x?b=%zz", strings.NewReader("value=1"))
	r.RequestURI, r.Host = "", ""
	resp, inDoubt, err := f.Send(r, client, urls)
	if err != nil {
		return "", inDoubt, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.Request.URL.Host + " " + string(text), inDoubt, err
}

func TestForwarder(t *testing.T) {
	t.Run("an answer", func(t *testing.T) {
		etcd := newRecorder(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) })
		host := strings.TrimPrefix(etcd.URL, "http://")
		body, inDoubt, err := sendTo(t.Context(), newTestForwarder(t, nil), "client", "PUT", etcd.URL)
		if body != host+" "+host || inDoubt || err != nil {
			t.Errorf("got %q, %v, %v", body, inDoubt, err)
		}
		if want := []string{"PUT /v2/keys/x?b=%zz value=1"}; !slices.Equal(etcd.requests(), want) {
			t.Errorf("the etcd got %q", etcd.requests())
		}
	})
	for _, test := range []struct {
		name, method    string
		first           func(t testing.TB) string
		passed, inDoubt bool
	}{
		{"a write that can't be sent", "PUT", closedServer, true, false},
		{"a write whose connection breaks", "PUT", breakingServer, false, true},
		{"a POST whose connection breaks", "POST", breakingServer, false, true},
		{"a DELETE whose answer is not HTTP", "DELETE", garbledServer, false, true},
		{"a read whose connection breaks", "GET", breakingServer, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			second := newRecorder(t, respondWith("{}"))
			first := test.first(t)
			f := newTestForwarder(t, nil)
			f.endpoints.set([]string{first, second.URL})
			client := hostFor(t, f.endpoints, first)
			_, inDoubt, err := sendTo(t.Context(), f, client, test.method, first, second.URL)
			if (err == nil) != test.passed || inDoubt != test.inDoubt || len(second.requests()) > 0 != test.passed {
				t.Errorf("got %v, %v; the second got %q", inDoubt, err, second.requests())
			}
		})
	}
	t.Run("all members have failed", func(t *testing.T) {
		etcd := newRecorder(t, respondWith("{}"))
		f, closed := newTestForwarder(t, nil), closedServer(t)
		if _, inDoubt, err := sendTo(t.Context(), f, "client", "PUT", closed); err == nil || inDoubt {
			t.Errorf("got %v, %v", inDoubt, err)
		}
		f.endpoints.set([]string{etcd.URL})
		f.endpoints.fail(etcd.URL)
		if _, _, err := sendTo(t.Context(), f, "client", "PUT", etcd.URL); err != nil {
			t.Errorf("a member that answers again: %v", err)
		}
	})
	t.Run("no URL", func(t *testing.T) {
		if _, inDoubt, err := sendTo(t.Context(), newTestForwarder(t, nil), "client", "PUT"); !errors.Is(err, errNoEndpoints) || inDoubt {
			t.Errorf("got %v, %v", inDoubt, err)
		}
	})
	t.Run("the etcd has no certificate of a CA", func(t *testing.T) {
		etcd := httptest.NewTLSServer(http.NotFoundHandler())
		defer etcd.Close()
		if _, inDoubt, err := sendTo(t.Context(), newTestForwarder(t, nil), "client", "PUT", etcd.URL); err == nil || inDoubt {
			t.Errorf("got %v, %v", inDoubt, err)
		}
	})
}

// TestForwarderTimes checks the outcome of requests to a member that does not answer.
func TestForwarderTimes(t *testing.T) {
	release := make(chan struct{})
	hangs := newRecorder(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	for _, test := range []struct {
		method  string
		inDoubt bool
	}{{"PUT", true}, {"GET", false}} {
		t.Run("the request ends: "+test.method, func(t *testing.T) {
			before := len(hangs.requests())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				await(t, "the request", func() bool { return len(hangs.requests()) > before })
				cancel()
			}()
			f := newTestForwarder(t, nil)
			if _, inDoubt, err := sendTo(ctx, f, "client", test.method, hangs.URL); !errors.Is(err, context.Canceled) || inDoubt != test.inDoubt {
				t.Errorf("got %v, %v", inDoubt, err)
			}
			if f.endpoints.isExcluded(hangs.URL) {
				t.Error("the member is excluded")
			}
		})
		t.Run("the read limit: "+test.method, func(t *testing.T) {
			f := newTestForwarder(t, func(c *ForwarderConfig) { c.ReadTimeout = 500 * time.Millisecond })
			if _, inDoubt, err := sendTo(t.Context(), f, "client", test.method, hangs.URL); err == nil || inDoubt != test.inDoubt {
				t.Errorf("got %v, %v", inDoubt, err)
			}
			if !f.endpoints.isExcluded(hangs.URL) {
				t.Error("the member is not excluded")
			}
		})
	}
	t.Run("the time has ended before the request is sent", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, inDoubt, err := sendTo(ctx, newTestForwarder(t, nil), "client", "PUT", hangs.URL); err == nil || inDoubt {
			t.Errorf("got %v, %v", inDoubt, err)
		}
	})
}

// isExcluded reports whether a URL is excluded.
func (e *endpoints) isExcluded(url string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now().Before(e.excludedUntil[url])
}
