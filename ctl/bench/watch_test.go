package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// A hub is a server with one key, which can be written and watched as a stream. It does not send the events for which loss returns true.
type hub struct {
	mu      sync.Mutex
	index   int
	streams map[chan string]bool
	loss    func(index int) bool
}

func newHub(t *testing.T, loss func(int) bool) string {
	t.Helper()
	h := &hub{streams: map[chan string]bool{}, loss: loss}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == "PUT" {
		h.put(r.FormValue("value"))
		return
	}
	events := make(chan string, 1000)
	h.mu.Lock()
	h.streams[events] = true
	h.mu.Unlock()
	_ = http.NewResponseController(w).Flush() // a client that is gone shows below
	for {
		select {
		case e := <-events:
			fmt.Fprintln(w, e)
			_ = http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			h.mu.Lock()
			delete(h.streams, events)
			h.mu.Unlock()
			return
		}
	}
}

func (h *hub) put(value string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.index++
	if h.loss(h.index) {
		return
	}
	for events := range h.streams {
		events <- fmt.Sprintf(`{"action":"set","node":{"key":"/k","value":%q,"modifiedIndex":%d}}`, value, h.index)
	}
}

func TestWatch(t *testing.T) {
	t.Run("every event is counted", func(t *testing.T) {
		url := newHub(t, func(int) bool { return false })
		out, err := runBench(t.Context(), "watch", "--endpoints", url, "--watchers", "7", "--total", "30", "--clients", "2", "--warmup",
			"20ms", "--json")
		var r result
		if err := errors.Join(err, json.Unmarshal([]byte(out), &r)); err != nil {
			t.Fatal(err)
		}
		if r.Succeeded != 210 || r.Unit != "events" || r.Parts[1].Count != 30 || r.Latency.P50 <= 0 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("idle watches are held", func(t *testing.T) {
		url := newHub(t, func(int) bool { return false })
		out, err := runBench(t.Context(), "watch", "--endpoints", url, "--watchers", "5", "--clients", "0", "--duration", "50ms")
		if err != nil || !strings.Contains(out, "0.0 events/s") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("a server that refuses", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		defer server.Close()
		if _, err := runBench(t.Context(), "watch", "--endpoints", server.URL, "--watchers", "300"); !errors.Is(err, errTarget) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWatchFindsLostEvents(t *testing.T) {
	url := newHub(t, func(index int) bool { return index%10 == 0 })
	ts, err := newTarget([]string{url}, credential{})
	if err != nil {
		t.Fatal(err)
	}
	l := &watchLoad{
		o:     &options{phase: phase{total: 30}, conns: 1, clients: 1, timeout: time.Minute},
		space: keySpace{prefix: "/bench", size: 8, count: 1, dirs: 1}, watchers: 4, mode: streamWatch, window: 4, valSize: 40,
		lossTimeout: time.Second,
	}
	r, err := l.run(t.Context(), ts)
	if err != nil {
		t.Fatal(err)
	}
	if r.Succeeded != 27*4 || r.Failed != 3*4 || r.Errors[0].Kind != "watch: event not delivered" {
		t.Errorf("%d delivered, %d failed, errors %+v", r.Succeeded, r.Failed, r.Errors)
	}
}

func TestWatcherChecksEvents(t *testing.T) {
	event := func(index int, value string) string {
		return fmt.Sprintf(`{"action":"set","node":{"key":"/k","value":"%s","modifiedIndex":%d}}`, value, index)
	}
	good := padded(0, stampDigits) + "xyz"
	for _, test := range []struct {
		name   string
		events []string
		kind   string // of the one failure; empty for none
	}{
		{"in order", []string{event(4, good), event(9, good)}, ""},
		{"twice", []string{event(4, good), event(4, good)}, "watch: event out of order"},
		{"backwards", []string{event(4, good), event(3, good)}, "watch: event out of order"},
		{"somebody else's", []string{event(4, "short")}, "watch: event without our value"},
		{"somebody else's of our length", []string{event(4, strings.Repeat("z", 40))}, "watch: event without our value"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFanout(&watchLoad{space: keySpace{count: 1}, watchers: 1})
			w := &watcher{load: f}
			for _, e := range test.events {
				w.event([]byte(e))
			}
			errs := f.rec.Load().errors
			if test.kind == "" && len(errs) == 0 {
				return
			}
			if len(errs) != 1 || errs[test.kind] == nil || errs[test.kind].Count != 1 {
				t.Errorf("got %v, want one %q", errs, test.kind)
			}
		})
	}
}
