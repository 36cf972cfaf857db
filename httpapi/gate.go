package httpapi

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"pando/httpapi/service"
	"pando/stats"
	"pando/tree"
)

// causeStarting says why a process that has just started can't answer. It is no text of the reference, which
// does not answer at all meanwhile.
const causeStarting = "this member is starting and not ready to serve: it reads its data or waits for its cluster"

// GateConfig is what a Gate is made of. Fields must be set unless their comment says otherwise.
type GateConfig struct {
	// Wait is how long a request may wait for the handlers.
	Wait time.Duration
	// Metrics, Versions, CORS, BodyTimeout and Pprof are as in Config.
	Metrics     *stats.Metrics
	Versions    Versions
	CORS        []string
	BodyTimeout time.Duration
	Pprof       Switch
	// Connections limits the open connections.
	Connections ConnectionLimits
	// StallTimeout is how long a client may take nothing of what is sent to it. With 0 connections are served as
	// they are accepted: a proxy must, because only net/http's own way of reading shows that a client went away.
	StallTimeout time.Duration
	// BaseContext is the parent of the contexts of clients' requests; context.Background() if nil.
	BaseContext context.Context
	Logger      *zap.Logger
}

// Handlers are what a Gate opens to.
type Handlers struct {
	Client, Peer, Observation http.Handler // Peer is nil where no peers are served
	// KeepAlive is one more listener of the client URLs; see stream.Dispatcher.KeepAlive. It may be nil.
	KeepAlive net.Listener
	// CloseWaits is called once when the server shuts down. It ends what could take long: watches, and requests that
	// wait for the member to be ready. It may be nil.
	CloseWaits func()
}

// Gate serves the listeners of a process before its handlers are there: while a member reads its data, or
// waits for others to register, which may take hours. What needs no data is answered at once: /version,
// /metrics, and /health with 503. Other requests wait, as they would at a member of the reference, and
// go on to the handlers if these come in time; else they get a 503, which sends a client to its next endpoint.
type Gate struct {
	GateConfig
	process  process
	handlers atomic.Pointer[Handlers]
	opened   chan struct{}
	ended    chan struct{}
	end      sync.Once
	servers  servers
	failed   chan error
}

// NewGate makes a Gate that is closed.
func NewGate(cfg GateConfig) *Gate {
	g := &Gate{GateConfig: cfg, opened: make(chan struct{}), ended: make(chan struct{}), failed: make(chan error, 1)}
	g.process = process{versions: cfg.Versions, metrics: cfg.Metrics.Handler(), health: func() service.Health { return service.Health{} }, pprof: cfg.Pprof, stallTimeout: cfg.BodyTimeout}
	g.servers = g.newServers()
	return g
}

// Open passes all requests on to the handlers from now on. It may be called once.
func (g *Gate) Open(h Handlers) {
	g.handlers.Store(&h)
	close(g.opened)
	if h.KeepAlive != nil {
		go g.accept(g.servers.client, h.KeepAlive)
	}
}

// CloseWaits ends what waits for Open, now and later: the process stops.
func (g *Gate) CloseWaits() { g.end.Do(func() { close(g.ended) }) }

// Client is the handler of the client URLs.
func (g *Gate) Client() http.Handler {
	pick := func(h *Handlers) http.Handler { return h.Client }
	r := newRouter()
	g.process.mount(r, monitorRoutes, versionRoutes, profileRoutes)
	r.HandleFunc("/v2/*", g.hold(pick, refuseStarting))
	return g.passing(pick, newCORS(g.CORS).wrap(cleanPath(r)))
}

// Observation is the handler of the extra metrics URLs.
func (g *Gate) Observation() http.Handler {
	r := newRouter()
	g.process.mount(r, monitorRoutes)
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
			pick(g.handlers.Load()).ServeHTTP(w, r.WithContext(service.WithArrival(r.Context(), came)))
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
