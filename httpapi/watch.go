package httpapi

import (
	"errors"
	"net/http"
	"time"

	"pando/tree"
)

// errFollowed says that the answer goes on after the handler has returned, and
// will be counted at its end.
var errFollowed = errors.New("httpapi: the answer goes on")

// watch answers a long poll with one event, or a stream with all of them.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, q *request) error {
	start := time.Now()
	scope := tree.Exact
	if q.recursive {
		scope = tree.Recursive
	}
	watch, err := s.service.Watch(q.path, scope, q.waitIndex)
	if err != nil {
		s.writeKeyError(w, err)
		return err
	}
	watcher, first := watch.Watcher, watch.First
	h := w.Header()
	h["Content-Type"] = jsonType
	s.logHeaders(h, watch.Index)
	w.WriteHeader(http.StatusOK)
	// The client learns at once from which index on it is being served.
	_ = http.NewResponseController(w).Flush()
	if first != nil && !q.stream {
		watcher.Close()
		_ = s.writeEvent(w, first) // that the client has gone is no error of ours
		return nil
	}
	f, err := s.park(w, r)
	switch {
	case errors.Is(err, http.ErrNotSupported):
		return s.followThrough(w, r, watcher, first, q.stream)
	case err != nil:
		watcher.Close()
		return err
	}
	f.watcher, f.first, f.stream, f.start = watcher, first, q.stream, start
	f.begin()
	return errFollowed
}
