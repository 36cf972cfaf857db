package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"pando/stats"
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
	index := s.Tree.View().Index()
	since := q.waitIndex
	if since == 0 {
		// From the index that the header tells: a client that goes on from there
		// must not miss what happens between these two lines.
		since = index + 1
	}
	watcher, err := s.Tree.Watch(q.path, scope, since)
	if err != nil {
		s.writeKeyError(w, err)
		return err
	}
	// The first event of the past is taken before the head is sent, while there
	// still is a status to say that it has fallen off the history meanwhile.
	first, err := watcher.Poll()
	if err != nil {
		watcher.Close()
		s.writeKeyError(w, err)
		return err
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	s.logHeaders(h, index)
	w.WriteHeader(http.StatusOK)
	// The client learns at once from which index on it is being served.
	_ = http.NewResponseController(w).Flush()
	if first != nil && !q.stream {
		watcher.Close()
		_, _ = w.Write(first.JSON()) // that the client has gone is no error of ours
		return nil
	}
	f, err := s.park(w, r, watcher)
	if err != nil {
		watcher.Close()
		return err
	}
	follow := f.poll // what waits long keeps no request in memory
	if q.stream {
		follow = func() error { return f.stream(first) }
	}
	go func() {
		err := follow()
		s.Metrics.Observe(stats.OpWatch, f.outcome(err), time.Since(start))
	}()
	return errFollowed
}

// stream sends each event as it comes, from first on unless that is nil; those
// that are there together leave together. A watcher that falls off the history
// is told so by one more JSON object, for its headers are sent already.
func (f *follower) stream(first *tree.Event) (err error) {
	defer f.end()
	for event := first; ; event = nil {
		if event == nil {
			event, err = f.watcher.Next(context.Background())
		}
		for event != nil && err == nil {
			f.add(event.JSON())
			if len(f.out) >= maxPooled {
				break
			}
			event, err = f.watcher.Poll()
		}
		var told *tree.Error
		if errors.As(err, &told) {
			f.add(told.AppendJSON(nil))
			f.finish()
		}
		if sent := f.send(); sent != nil || err != nil {
			return errors.Join(err, sent)
		}
	}
}

// poll sends the one event that ends a long poll, and gives the connection
// back for the next request.
func (f *follower) poll() error {
	event, err := f.watcher.Next(context.Background())
	var told *tree.Error
	switch {
	case event != nil:
		f.add(event.JSON())
	case errors.As(err, &told):
		f.add(told.AppendJSON(nil))
	default:
		f.end()
		return err
	}
	f.finish()
	if sent := f.send(); sent != nil {
		f.end()
		return sent
	}
	f.release()
	return err
}
