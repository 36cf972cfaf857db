package httpapi

import (
	"net/http"
	"time"

	"pando/httpapi/service"

	"github.com/go-chi/chi/v5"
)

// process answers what needs no data of a member: which program runs, whether it is healthy, and what it counts.
type process struct {
	versions Versions
	metrics  http.Handler
	health   func() service.Health
	pprof    Switch
	// stallTimeout is how long a client may take nothing of a profile.
	stallTimeout time.Duration
}

// mount adds routes of a process to a router.
func (p *process) mount(r chi.Router, tables ...[]route[*process]) {
	for _, table := range tables {
		mount(r, table, binding[*process]{to: p})
	}
}

func (p *process) serveMetrics(w http.ResponseWriter, r *http.Request) {
	p.metrics.ServeHTTP(w, r)
}

func (p *process) serveVersion(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, p.versions)
}

// serveHealth answers as the reference does, byte for byte, unless there is a reason that the reference does not have.
func (p *process) serveHealth(w http.ResponseWriter, _ *http.Request) {
	h := p.health()
	switch {
	case h.OK:
		_, _ = w.Write([]byte(`{"health":"true"}`)) // an error means that the client went away
	case h.Reason != "":
		http.Error(w, `{"health":"false","reason":"`+h.Reason+`"}`, http.StatusServiceUnavailable)
	default:
		http.Error(w, `{"health":"false"}`, http.StatusServiceUnavailable)
	}
}
