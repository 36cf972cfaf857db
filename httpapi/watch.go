package httpapi

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"pando/tree"
)

// watch answers a long poll with one event, or a stream with all of them.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, q *request) error {
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
	defer watcher.Close()
	s.open.add(watcher)
	defer s.open.remove(watcher)

	h := w.Header()
	h["Content-Type"] = jsonType
	s.logHeaders(h, index)
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	// The client learns at once from which index on it is being served.
	_ = control.Flush()
	if q.stream {
		return s.stream(w, r.Context(), control, watcher)
	}
	event, err := watcher.Next(r.Context())
	if err != nil {
		return s.watchEnded(w, err)
	}
	_, _ = w.Write(event.JSON())
	return nil
}

// stream writes each event as it comes, flushing when there is none left.
func (s *Server) stream(w http.ResponseWriter, ctx context.Context, control *http.ResponseController, watcher *tree.Watcher) error {
	for {
		event, err := watcher.Next(ctx)
		for ; event != nil && err == nil; event, err = watcher.Poll() {
			if _, err := w.Write(event.JSON()); err != nil {
				return nil // the client has gone
			}
		}
		if err != nil {
			return s.watchEnded(w, err)
		}
		if control.Flush() != nil {
			return nil
		}
	}
}

// watchEnded ends the answer of a watch that has no more events. A watcher
// that fell off the history is told so; its headers are sent already, so the
// error comes as one more JSON object. At shutdown the connection breaks off,
// which makes clients try again elsewhere instead of taking the end for an
// answer.
func (s *Server) watchEnded(w http.ResponseWriter, err error) error {
	var e *tree.Error
	switch {
	case errors.As(err, &e):
		writeBody(w, e.AppendJSON)
		return e
	case errors.Is(err, tree.ErrWatcherClosed):
		panic(http.ErrAbortHandler)
	}
	return nil // the client has gone
}

// openWatches knows the watches under way, to end them at shutdown.
type openWatches struct {
	mu       sync.Mutex
	watchers map[*tree.Watcher]struct{}
	closed   bool
}

func (o *openWatches) add(w *tree.Watcher) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		w.Close()
		return
	}
	o.watchers[w] = struct{}{}
}

func (o *openWatches) remove(w *tree.Watcher) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.watchers, w)
}

// close ends the watches under way and all that are still to come.
func (o *openWatches) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for w := range o.watchers {
		w.Close()
	}
}
