package v2

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"pando/httpapi/auth"
	"pando/httpapi/service"
	"pando/httpapi/stream"
	"pando/stats"
	"pando/tree"
)

// watch responds to a long poll with one event, or to a continuous watch with all events. Package stream sends the events. It
// reports the end of the watch by stream.Config.Ended, perhaps long after this handler has returned.
func (a *API) watch(w http.ResponseWriter, r *http.Request, q *request, p *parser) (stats.Op, error) {
	start := time.Now()
	options, err := p.decodeWatch(r, q.path)
	if err != nil {
		return stats.OpWatch, a.writeError(w, err)
	}
	if options.beyondReference {
		a.setOldest(w, r) // also in the header of an error
	}
	if !a.Watches.BeginAll(len(options.paths)) {
		return stats.OpWatch, a.writeError(w, errTooManyWatches)
	}
	begun, err := a.beginWatch(r, q, &options)
	if err != nil {
		a.Watches.EndAll(len(options.paths))
		return stats.OpWatch, a.writeError(w, err)
	}
	begun.Start = start
	a.countPaths(&begun.Watch, len(options.paths))
	if options.noContent {
		if begun.First, err = a.awaitFirst(r, &begun.Watch); begun.First == nil {
			return service.Uncounted, a.endWithoutEvent(w, begun, err)
		}
	}
	a.setWatchHeader(w.Header(), begun)
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush() // the client sees the index before the first event
	a.Requests.End()                          // from now on the request counts as a watch, until stream.Config.Ended
	defer a.Requests.Resume()
	return service.Uncounted, a.Streams.Serve(w, r, begun.Watch)
}

// begunWatch is a watch that has begun, and what the header of its response shows.
type begunWatch struct {
	stream.Watch
	index  uint64 // of the last change before
	oldest uint64 // the least index with which the watch could have begun; 0 if the header must not show it
}

// beginWatch begins the watch of a request. If the history has lost events for a client of server-sent events, the watch begins with
// the next change, and the client gets an event that says so: a browser would not connect again after an error.
func (a *API) beginWatch(r *http.Request, q *request, o *watchOptions) (*begunWatch, error) {
	since, after := q.waitIndex, stream.EventID{}
	switch {
	case o.lastID.Part != 0 && o.lastID.Index != 0: // the client needs the other parts of that change
		since, after = o.lastID.Index, o.lastID
	case o.lastID.Index != 0:
		since, after = o.lastID.Index+1, o.lastID
	case since != 0:
		after.Index = since - 1
	}
	begun, err := a.openWatch(r, q, o, since, after)
	if e, ok := errors.AsType[*tree.Error](err); ok && e.Code == tree.CodeHistoryCleared && o.layout == stream.ServerSentEvents {
		if begun, err = a.openWatch(r, q, o, 0, stream.EventID{}); err == nil {
			begun.Cleared = e
		}
	}
	return begun, err
}

// openWatch begins a watch of the events from an index on, which come after an ID. With 0 it begins with the next change.
func (a *API) openWatch(r *http.Request, q *request, o *watchOptions, since uint64, after stream.EventID) (*begunWatch, error) {
	request := service.WatchRequest{Paths: o.paths, Scope: tree.Exact, Since: since, Each: o.each, ReceivedParts: after.Part}
	if q.recursive {
		request.Scope = tree.Recursive
	}
	begun := &begunWatch{Watch: stream.Watch{
		Layout: o.layout, KeysOnly: o.keysOnly, Heartbeat: o.heartbeat, Timeout: o.timeout, After: after,
	}}
	if q.stream || o.layout == stream.ServerSentEvents {
		begun.Mode = stream.Continuous
	}
	watch, err := a.Service.Watch(detached, auth.FromRequest(r), &request)
	if err != nil {
		return nil, err
	}
	begun.Watcher, begun.First, begun.index = watch.Watcher, watch.First, watch.Index
	if o.beyondReference {
		begun.oldest = watch.Oldest
	}
	if since == 0 {
		begun.After.Index = begun.index
	}
	if err := o.filter(&begun.Watch); err != nil {
		begun.Watcher.Close()
		return nil, err
	}
	return begun, nil
}

// awaitFirst waits for the first event of a watch before its header is sent.
func (a *API) awaitFirst(r *http.Request, watch *stream.Watch) (*tree.Event, error) {
	a.Requests.End() // the request counts as a watch while it waits
	defer a.Requests.Resume()
	return a.Streams.Await(r.Context(), *watch)
}

// endWithoutEvent ends a watch whose header was not sent: with the status 204 if err is nil. It reports the end of the watch.
func (a *API) endWithoutEvent(w http.ResponseWriter, begun *begunWatch, err error) error {
	begun.Watcher.Close()
	if errors.Is(err, tree.ErrWatcherClosed) {
		err = stream.ErrClosed // the server shuts down
	}
	a.Streams.Ended(time.Since(begun.Start), err)
	switch {
	case errors.Is(err, stream.ErrClosed), errors.Is(err, stream.ErrClientGone):
		return http.ErrAbortHandler // the connection breaks, so that the client tries another member
	case err != nil:
		return a.writeError(w, err)
	}
	a.setWatchHeader(w.Header(), begun)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// setWatchHeader sets the header of a response to a watch.
func (a *API) setWatchHeader(h http.Header, begun *begunWatch) {
	h["Content-Type"] = jsonType
	if begun.Layout == stream.ServerSentEvents {
		h.Set("Content-Type", eventStream)
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Accel-Buffering", "no") // nginx passes each event on at once
	}
	a.setIndexes(h, begun.index)
	if begun.oldest != 0 {
		h[oldestHeader] = []string{strconv.FormatUint(begun.oldest, 10)}
	}
}
