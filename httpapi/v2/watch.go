package v2

import (
	"net/http"
	"time"

	"pando/httpapi/auth"
	"pando/httpapi/service"
	"pando/httpapi/stream"
	"pando/stats"
	"pando/tree"
)

// watch responds to a long poll with one event, or to a continuous watch with all events. Package stream sends the events. It
// reports the end of the watch by stream.Config.Ended, perhaps long after this handler has returned.
func (a *API) watch(w http.ResponseWriter, r *http.Request, q *request) (stats.Op, error) {
	start := time.Now()
	scope := tree.Exact
	if q.recursive {
		scope = tree.Recursive
	}
	if !a.Watches.Begin() {
		return stats.OpWatch, a.writeError(w, errTooManyWatches)
	}
	watch, err := a.Service.Watch(detached, auth.FromRequest(r), q.path, scope, q.waitIndex)
	if err != nil {
		a.Watches.End()
		return stats.OpWatch, a.writeError(w, err)
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	a.setIndexes(h, watch.Index)
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush() // the client sees the index before the first event
	mode := stream.LongPoll
	if q.stream {
		mode = stream.Continuous
	}
	a.Requests.End() // from now on the request counts as a watch, until stream.Config.Ended
	defer a.Requests.Resume()
	return service.Uncounted, a.Streams.Serve(w, r, stream.Watch{Watcher: watch.Watcher, First: watch.First, Mode: mode, Start: start})
}
