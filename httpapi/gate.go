package httpapi

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"

	"pando/stats"
	"pando/tree"
)

// causeStarting says why a process that has just started can't answer. It is no text of the reference, which
// does not answer at all meanwhile.
const causeStarting = "this member is starting and not ready to serve: it reads its data or waits for its cluster"

// GateConfig is what a Gate is made of. All fields must be set, but for those of a Switch.
type GateConfig struct {
	// Wait is how long a request may wait for the handlers.
	Wait time.Duration
	// Metrics, Versions, CORS, BodyTimeout and Pprof are as in Config.
	Metrics     *stats.Metrics
	Versions    Versions
	CORS        []string
	BodyTimeout time.Duration
	Pprof       Switch
}

// Handlers are what a Gate opens to.
type Handlers struct {
	Client, Peer, Observation http.Handler // Peer is nil where no peers are served
}

// Gate serves the listeners of a process before its handlers are there: while a member reads its data, or
// waits for others to register, which may take hours. What needs no data is answered at once: /version,
// /metrics, and /health with 503. Other requests wait, as they would at a member of the reference, and
// go on to the handlers if these come in time; else they get a 503, which sends a client to its next endpoint.
type Gate struct {
	GateConfig
	handlers atomic.Pointer[Handlers]
	opened   chan struct{}
	ended    chan struct{}
	end      sync.Once
}

// NewGate makes a Gate that is closed.
func NewGate(cfg GateConfig) *Gate {
	return &Gate{GateConfig: cfg, opened: make(chan struct{}), ended: make(chan struct{})}
}

// Open passes all requests on to the handlers from now on. It may be called once.
func (g *Gate) Open(h Handlers) {
	g.handlers.Store(&h)
	close(g.opened)
}

// CloseWaits ends what waits for Open, now and later: the process stops.
func (g *Gate) CloseWaits() { g.end.Do(func() { close(g.ended) }) }

// Client is the handler of the client URLs.
func (g *Gate) Client() http.Handler {
	pick := func(h *Handlers) http.Handler { return h.Client }
	r := newRouter()
	g.mountObservation(r)
	r.HandleFunc("/version", g.version)
	r.HandleFunc("/v2/*", g.hold(pick, refuseStarting))
	if g.Pprof == On {
		mountPprof(r, g.BodyTimeout)
	}
	return g.passing(pick, newCORS(g.CORS).wrap(cleanPath(r)))
}

// Observation is the handler of the extra metrics URLs.
func (g *Gate) Observation() http.Handler {
	r := newRouter()
	g.mountObservation(r)
	return g.passing(func(h *Handlers) http.Handler { return h.Observation }, r)
}

// Peer is the handler of the peer URLs, where everything needs the member.
func (g *Gate) Peer() http.Handler {
	pick := func(h *Handlers) http.Handler { return h.Peer }
	return g.passing(pick, g.hold(pick, refuseStartingPlain))
}

// passing gives what the handlers answer once the gate is open, and before that what closed does.
func (g *Gate) passing(pick func(*Handlers) http.Handler, closed http.Handler) http.Handler {
	closed = timeBodies(g.BodyTimeout, closed)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := g.handlers.Load(); h != nil {
			pick(h).ServeHTTP(w, r)
			return
		}
		closed.ServeHTTP(w, r)
	})
}

// hold has requests wait for the gate to open.
func (g *Gate) hold(pick func(*Handlers) http.Handler, refuse func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		came := time.Now()
		timer := time.NewTimer(g.Wait)
		defer timer.Stop()
		cause := causeStarting
		select {
		case <-g.opened:
			pick(g.handlers.Load()).ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), heldSince{}, came)))
			return
		case <-g.ended:
			cause = tree.CauseStopped
		case <-timer.C:
		case <-r.Context().Done():
		}
		refuse(w, r, cause)
		g.Metrics.Observe(stats.OpOther, stats.Unavailable, time.Since(came))
	}
}

// heldSince is the key under which the context of a request that waited at a Gate has the time at which it came.
type heldSince struct{}

// cameAt is when a request came, as far as its waiting is concerned.
func cameAt(r *http.Request) time.Time {
	if came, ok := r.Context().Value(heldSince{}).(time.Time); ok {
		return came
	}
	return time.Now()
}

// refuseStarting answers in the form that clients know from the path: keys have error codes.
func refuseStarting(w http.ResponseWriter, r *http.Request, cause string) {
	if strings.HasPrefix(r.URL.Path, keysPath) {
		w.Header()["Content-Type"] = jsonType
		writeBody(w, http.StatusServiceUnavailable, tree.NewError(tree.CodeRaftInternal, cause).AppendJSON)
		return
	}
	writeJSON(w, http.StatusServiceUnavailable, message{cause})
}

func refuseStartingPlain(w http.ResponseWriter, _ *http.Request, cause string) {
	http.Error(w, cause, http.StatusServiceUnavailable)
}

func (g *Gate) mountObservation(r chi.Router) {
	r.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) {
		if allowed(w, r, "GET") {
			writeUnhealthy(w, "")
		}
	})
	r.Handle("/metrics", g.Metrics.Handler())
}

func (g *Gate) version(w http.ResponseWriter, r *http.Request) {
	if allowed(w, r, "GET") {
		writeJSON(w, http.StatusOK, g.Versions)
	}
}
