package httpapi

import (
	"net/http"
	"time"

	"pando/httpapi/service"
	v2 "pando/httpapi/v2"
	"pando/stats"
	"pando/tree"
)

// Before Open a member reads its data or waits for other members, which may take hours. Until then /version, /metrics and the
// profiles are served, and /health answers 503. Other requests wait, as they would on a member of the reference. If Open is called
// in time, the handlers serve them. Otherwise they get a 503, so that clients try their next endpoint.

// causeStarting is the cause of that 503. The reference has no such text, because it does not answer at all before it is ready.
const causeStarting = "this member is starting and not ready to serve: it reads its data or waits for its cluster"

// notStarted is the health of a process before Open.
func notStarted() service.Health { return service.Health{} }

// client returns the handler of the client URLs.
func (s *Server) client() http.Handler {
	handler := func(h *Handlers) http.Handler { return h.Client }
	r := newRouter()
	s.process.mount(r, monitorRoutes, versionRoutes, profileRoutes)
	r.HandleFunc("/v2/*", s.awaitOpen(handler, v2.WriteUnavailable))
	return s.afterOpen(handler, newCORS(s.cfg.CORS).wrap(cleanPath(r)))
}

// observation returns the handler of the metrics URLs.
func (s *Server) observation() http.Handler {
	r := newRouter()
	s.process.mount(r, monitorRoutes)
	return s.afterOpen(func(h *Handlers) http.Handler { return h.Observation }, r)
}

// peer returns the handler of the peer URLs, where every request needs the member.
func (s *Server) peer() http.Handler {
	handler := func(h *Handlers) http.Handler { return h.Peer }
	refuse := func(w http.ResponseWriter, _ *http.Request, cause string) {
		http.Error(w, cause, http.StatusServiceUnavailable)
	}
	return s.afterOpen(handler, s.awaitOpen(handler, refuse))
}

// afterOpen serves requests with the handler after Open, and with before until then.
func (s *Server) afterOpen(handler func(*Handlers) http.Handler, before http.Handler) http.Handler {
	before = limitBodyTime(s.cfg.BodyTimeout, before)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := s.handlers.Load(); h != nil {
			handler(h).ServeHTTP(w, r)
			return
		}
		before.ServeHTTP(w, r)
	})
}

// awaitOpen makes a request wait for Open, and then serves it with the handler. It refuses the request after StartTimeout, when
// the client is gone, or when the server stops.
func (s *Server) awaitOpen(
	handler func(*Handlers) http.Handler, refuse func(w http.ResponseWriter, r *http.Request, cause string),
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		arrived := time.Now()
		timer := time.NewTimer(s.cfg.StartTimeout)
		defer timer.Stop()
		cause := causeStarting
		select {
		case <-s.opened:
			handler(s.handlers.Load()).ServeHTTP(w, r.WithContext(service.WithArrival(r.Context(), arrived)))
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
