package probe

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"
)

// TestServe compares responses with those of etcd 3.7.3. Where etcd names its checks in a random order, the order is that of the list.
func TestServe(t *testing.T) {
	met := Check{Name: "first", Run: func(context.Context) error { return nil }}
	unmet := Failing("second", errors.New("there is no leader"))
	for _, c := range []struct {
		name, url string
		checks    []Check
		code      int
		body      string
	}{
		{"all met", "/readyz", []Check{met}, 200, "ok\n"},
		{"all met, in full", "/readyz?verbose", []Check{met}, 200, "[+]first ok\nok\n"},
		{"verbose with a value", "/readyz?verbose=1", []Check{met}, 200, "[+]first ok\nok\n"},
		{"one unmet", "/readyz", []Check{met, unmet}, 503, "[+]first ok\n[-]second failed: there is no leader\n\n"},
		{"the unmet one is excluded", "/readyz?exclude=second", []Check{met, unmet}, 200, "ok\n"},
		{"excluded, in full", "/readyz?exclude=second&verbose", []Check{met, unmet}, 200, "[+]first ok\nok\n"},
		{"all excluded", "/readyz?exclude=second&exclude=first", []Check{met, unmet}, 200, "ok\n"},
		{"an unknown one is excluded", "/readyz?exclude=third", []Check{met}, 200, "ok\n"},
		{"one by its name", "/readyz/first", []Check{met, unmet}, 200, "ok\n"},
		{"one by its name, in full", "/readyz/first?verbose", []Check{met, unmet}, 200, "[+]first ok\nok\n"},
		{"an unmet one by its name", "/readyz/second", []Check{met, unmet}, 503, "[-]second failed: there is no leader\n\n"},
		{"one by its name can't be excluded", "/readyz/second?exclude=second", []Check{met, unmet}, 503,
			"[-]second failed: there is no leader\n\n"},
		{"an unknown name", "/readyz/third", []Check{met}, 404, "404 page not found\n"},
		{"no name", "/readyz/", []Check{met}, 404, "404 page not found\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			Serve(w, httptest.NewRequest("GET", c.url, nil), ReadyPath, c.checks)
			if w.Code != c.code || w.Body.String() != c.body {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, c.code, c.body)
			}
			if got := w.Header().Get("Content-Type"); got != "text/plain; charset=utf-8" {
				t.Errorf("Content-Type %q", got)
			}
		})
	}
	t.Run("a check has a deadline", func(t *testing.T) {
		checks := []Check{{Name: "slow", Run: func(ctx context.Context) error {
			if end, ok := ctx.Deadline(); !ok || time.Until(end) > Timeout {
				return errors.New("no deadline")
			}
			return nil
		}}}
		w := httptest.NewRecorder()
		Serve(w, httptest.NewRequest("GET", "/readyz", nil), ReadyPath, checks)
		if w.Code != 200 {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
}
