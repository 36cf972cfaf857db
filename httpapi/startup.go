package httpapi

import (
	"errors"
	"net/http"
	"time"

	"pando/httpapi/probe"
	"pando/httpapi/service"
	v2 "pando/httpapi/v2"
	"pando/stats"
	"pando/tree"
)

// Before Open a member reads its data or waits for other members, which may take hours. Until then /version, /openapi.json, /metrics and
// /livez are served, and /health and /readyz answer 503. Profiles are served if the cluster can't have users (Config.NoUsers), and
// otherwise get a 503. Other requests wait, as they would on a member of the reference. If Open is called in time, the handlers serve them.
// Otherwise they get a 503, so that clients try their next endpoint.

// causeStarting is the cause of the 503 before Open. The reference has no such text, because it sends no response before it is ready.
const causeStarting = "this member is starting and not ready to serve: it reads its data or waits for its cluster"

// authorizeProfile refuses profiles if auth may be enabled: the users are not known before Open.
func (s *Server) authorizeProfile(w http.ResponseWriter, r *http.Request) error {
	if s.cfg.NoUsers {
		return nil
	}
	v2.WriteUnavailable(w, r, causeStarting)
	return service.ErrReplaying
}

// notStarted is the health of a process before Open.
func notStarted() service.Health { return service.Health{} }

// notReady returns the checks of readiness of a process before Open. All fail.
func notReady(names []string) []probe.Check {
	var checks []probe.Check
	for _, name := range names {
		checks = append(checks, probe.Failing(name, errors.New(causeStarting)))
	}
	return checks
}

// clientHandler returns the handler of the client URLs.
func (s *Server) clientHandler() http.Handler {
	handlerOf := func(h *Handlers) http.Handler { return h.Client }
	r := newRouter()
	s.process.mountClient(r)
	await := s.awaitOpen(handlerOf, v2.WriteUnavailable)
	r.HandleFunc("/v2/*", await)
	for _, line := range gatewayRoutes {
		r.HandleFunc(line.path, await)
	}
	return s.afterOpen(handlerOf, newCORS(s.cfg.CORS, s.cfg.Metrics).wrap(cleanPath(r)))
}

// metricsHandler returns the handler of the metrics URLs.
func (s *Server) metricsHandler() http.Handler {
	r := newRouter()
	s.process.mount(r, healthRoutes, metricsRoutes)
	return s.afterOpen(func(h *Handlers) http.Handler { return h.Metrics }, r)
}

// peerHandler returns the handler of the peer URLs, where every request needs the member.
func (s *Server) peerHandler() http.Handler {
	handlerOf := func(h *Handlers) http.Handler { return h.Peer }
	refuse := func(w http.ResponseWriter, _ *http.Request, cause string) {
		http.Error(w, cause, http.StatusServiceUnavailable)
	}
	return s.afterOpen(handlerOf, s.awaitOpen(handlerOf, refuse))
}

// afterOpen returns a handler that calls before until Open. After Open it calls the handler that handlerOf selects.
func (s *Server) afterOpen(handlerOf func(*Handlers) http.Handler, before http.Handler) http.Handler {
	before = limitBodyTime(s.cfg.BodyTimeout, before)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := s.handlers.Load(); h != nil {
			handlerOf(h).ServeHTTP(w, r)
			return
		}
		before.ServeHTTP(w, r)
	})
}

// awaitOpen returns a handler that waits for Open and then calls the handler that handlerOf selects. It calls refuse after
// StartTimeout, when the client is gone, or when the server stops.
func (s *Server) awaitOpen(
	handlerOf func(*Handlers) http.Handler, refuse func(w http.ResponseWriter, r *http.Request, cause string),
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		arrived := time.Now()
		timer := time.NewTimer(s.cfg.StartTimeout)
		defer timer.Stop()
		cause := causeStarting
		select {
		case <-s.opened:
			handlerOf(s.handlers.Load()).ServeHTTP(w, r.WithContext(service.WithArrival(r.Context(), arrived)))
			return
		case <-s.stopping:
			cause = tree.CauseStopped
		case <-timer.C:
		case <-r.Context().Done():
		}
		refuse(w, r, cause)
		s.cfg.Metrics.Observe(stats.OpOther, stats.Unavailable, time.Since(arrived))
	}
}
