package httpapi

import (
	"errors"
	"net/http"
	"time"

	"pando/httpapi/stream"
	"pando/stats"
	"pando/tree"
)

// watch answers a long poll with one event, or a continuous watch with all of them. Package stream sends them and counts
// the watch when it has ended, long after the handler may have returned.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, q *request) (stats.Op, error) {
	start := time.Now()
	scope := tree.Exact
	if q.recursive {
		scope = tree.Recursive
	}
	watch, err := s.service.Watch(q.path, scope, q.waitIndex)
	if err != nil {
		s.writeKeyError(w, err)
		return stats.OpWatch, err
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	s.logHeaders(h, watch.Index)
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush() // the client sees the index before the first event
	mode := stream.LongPoll
	if q.stream {
		mode = stream.Continuous
	}
	return uncounted, s.streams.Serve(w, r, stream.Watch{Watcher: watch.Watcher, First: watch.First, Mode: mode, Start: start})
}

// watchEnded counts a watch with the result that package stream reports.
func (s *Server) watchEnded(took time.Duration, err error) {
	s.Metrics.Observe(stats.OpWatch, watchOutcome(err), took)
}

func watchOutcome(err error) stats.Outcome {
	if err == nil {
		return stats.OK
	}
	if e, ok := errors.AsType[*tree.Error](err); ok {
		return keyOutcome(e)
	}
	if errors.Is(err, stream.ErrClosed) {
		return stats.Unavailable
	}
	return stats.Canceled
}
