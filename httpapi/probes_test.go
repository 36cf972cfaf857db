package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"pando/httpapi/service"
	"pando/tree"
)

// TestProbes checks /livez and /readyz of a member in each of its states.
func TestProbes(t *testing.T) {
	const met = "[+]serializable_read ok\n[+]linearizable_read ok\n[+]checkpoints ok\nok\n"
	states := []struct {
		name   string
		change func(*MemberConfig)
		log    func(*instantLog)
		failed string // the check that fails, and the beginning of the reason
	}{
		{"healthy", nil, nil, ""},
		{"without a leader", nil, func(l *instantLog) { l.leaderless = true }, "linearizable_read failed: there is no leader"},
		{"cut off from the quorum", nil, func(l *instantLog) { l.fail = tree.NewError(tree.CodeRaftInternal, tree.CauseTimedOut) },
			"linearizable_read failed: a read through the quorum failed: "},
		{"before it has caught up", func(c *MemberConfig) { c.Service.Ready = make(chan struct{}) }, nil,
			"serializable_read failed: the member has not applied everything"},
		{"while checkpoints fail", func(c *MemberConfig) {
			c.Service.CheckpointFailing = func() (time.Time, error) { return time.Unix(0, 0), errors.New("input/output error") }
		}, nil, "checkpoints failed: checkpoints have failed since 1970-01-01T00:00:00Z, see the log"},
	}
	for _, state := range states {
		t.Run(state.name, func(t *testing.T) {
			f := newFixture(t, state.change)
			if state.log != nil {
				state.log(f.log)
			}
			if w := f.do("GET", "/livez?verbose", ""); w.Code != 200 || w.Body.String() != "[+]ping ok\nok\n" {
				t.Errorf("/livez: %d %s", w.Code, w.Body)
			}
			w := f.do("GET", "/readyz?verbose", "")
			if state.failed == "" {
				if w.Code != 200 || w.Body.String() != met {
					t.Errorf("/readyz: %d %s", w.Code, w.Body)
				}
				return
			}
			if w.Code != 503 || !strings.Contains(w.Body.String(), "[-]"+state.failed) || strings.Count(w.Body.String(), "[-]") != 1 {
				t.Errorf("/readyz: %d %s", w.Code, w.Body)
			}
			name, _, _ := strings.Cut(state.failed, " ")
			if w := f.do("GET", "/readyz/"+name, ""); w.Code != 503 {
				t.Errorf("/readyz/%s: %d %s", name, w.Code, w.Body)
			}
			if w := f.do("GET", "/readyz?exclude="+name, ""); w.Code != 200 || w.Body.String() != "ok\n" {
				t.Errorf("without %s: %d %s", name, w.Code, w.Body)
			}
		})
	}
}

// TestProbesOnAllURLs checks where the probes are served, and by which methods.
func TestProbesOnAllURLs(t *testing.T) {
	f := newFixture(t, nil)
	f.enableAuth(t)
	for name, handler := range map[string]http.Handler{"client": f.clientHandler(), "metrics": f.metricsHandler()} {
		for _, path := range []string{"/livez", "/livez/ping", "/readyz", "/readyz/checkpoints"} {
			for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405} {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
				if w.Code != want {
					t.Errorf("%s %s on the %s URLs: %d", method, path, name, w.Code)
				}
			}
		}
	}
	for path, want := range map[string]bool{
		"/livez": true, "/livez/ping": true, "/readyz": true, "/readyz/checkpoints": true, "/health": true, "/metrics": true,
		"/version": false, "/v2/keys/livez": false, "/livezz": false,
	} {
		if isMonitoring(path) != want {
			t.Errorf("isMonitoring(%s): %v", path, !want)
		}
	}
}

// TestReadyCheckNames compares the names that a Server has before Open with those after it.
func TestReadyCheckNames(t *testing.T) {
	var names []string
	for _, c := range newFixture(t, nil).service.ReadyChecks() {
		names = append(names, c.Name)
		if err := c.Run(context.Background()); err != nil {
			t.Error(err)
		}
	}
	if want := service.ReadyCheckNames(0); !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}
