package httpapi

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"pando/httpapi/probe"
	"pando/httpapi/service"
)

// Switch turns a part of the API on or off.
type Switch bool

// The positions of a Switch.
const (
	Off Switch = false
	On  Switch = true
)

// Versions is the body of /version: the version of etcd whose v2 API this server has, that of the cluster, and Pando's own version.
type Versions struct {
	Server  string `json:"etcdserver"`
	Cluster string `json:"etcdcluster"`
	Pando   string `json:"pando"`
}

// process serves the routes that need no data of a member: version, description, health, metrics and profiles.
type process struct {
	versions Versions
	metrics  http.Handler
	health   func() service.Health
	ready    []probe.Check
	pprof    Switch
	// clientMetrics is true if the client URLs have /metrics. The metrics URLs always have it.
	clientMetrics bool
	// description serves the description of the API; nil if there is none.
	description http.Handler
	// ui serves the page for people; nil if there is none.
	ui http.Handler
	// authorizeProfile returns nil if the sender of a request may read profiles. After an error it has written the response.
	authorizeProfile func(w http.ResponseWriter, r *http.Request) error
	// writeTimeout bounds each write of a profile to the client.
	writeTimeout time.Duration
}

// newProcess makes the process of a Server or a Member.
func newProcess(
	cfg Config, health func() service.Health, ready []probe.Check, authorizeProfile func(w http.ResponseWriter, r *http.Request) error,
) process {
	return process{
		versions: cfg.Versions, metrics: cfg.Metrics.Handler(), health: health, ready: ready, pprof: cfg.Pprof,
		clientMetrics: cfg.HideMetrics == Off, description: cfg.Description, ui: cfg.UI, writeTimeout: cfg.BodyTimeout,
		authorizeProfile: authorizeProfile,
	}
}

// mountClient adds the routes of the client URLs to a router.
func (p *process) mountClient(r chi.Router) {
	p.mount(r, healthRoutes, versionRoutes, profileRoutes)
	if p.clientMetrics {
		p.mount(r, metricsRoutes)
	}
	if p.description != nil {
		p.mount(r, descriptionRoutes)
	}
	if p.ui != nil {
		p.mount(r, pageRoutes)
	}
}

// mount adds the routes of the tables to a router.
func (p *process) mount(r chi.Router, tables ...[]route[*process]) {
	for _, table := range tables {
		mount(r, table, binding[*process]{target: p})
	}
}

func (p *process) serveMetrics(w http.ResponseWriter, r *http.Request) { p.metrics.ServeHTTP(w, r) }

func (p *process) serveDescription(w http.ResponseWriter, r *http.Request) {
	p.description.ServeHTTP(w, r)
}

func (p *process) serveUI(w http.ResponseWriter, r *http.Request) { p.ui.ServeHTTP(w, r) }

func (p *process) serveVersion(w http.ResponseWriter, _ *http.Request) {
	body, _ := json.Marshal(p.versions) // strings can always be encoded
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // an error means that the client is gone
}

// serveLive serves /livez and the paths below it.
func (p *process) serveLive(w http.ResponseWriter, r *http.Request) {
	probe.Serve(w, r, probe.LivePath, probe.Live())
}

// serveReady serves /readyz and the paths below it.
func (p *process) serveReady(w http.ResponseWriter, r *http.Request) {
	probe.Serve(w, r, probe.ReadyPath, p.ready)
}

// serveHealth serves /health. The response is byte for byte that of the reference, unless it contains a reason.
func (p *process) serveHealth(w http.ResponseWriter, _ *http.Request) {
	h := p.health()
	switch {
	case h.OK && h.Reason != "":
		_, _ = w.Write([]byte(`{"health":"true","reason":"` + h.Reason + `"}`)) // an error means that the client is gone
	case h.OK:
		_, _ = w.Write([]byte(`{"health":"true"}`)) // an error means that the client is gone
	case h.Reason != "":
		http.Error(w, `{"health":"false","reason":"`+h.Reason+`"}`, http.StatusServiceUnavailable)
	default:
		http.Error(w, `{"health":"false"}`, http.StatusServiceUnavailable)
	}
}
