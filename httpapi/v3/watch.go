package v3

import (
	"context"
	"errors"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"pando/httpapi/auth"
	"pando/stats"
	"pando/tree"
)

// watchMethods is the service Watch.
var watchMethods = []method{streaming("Watch", stats.BidirectionalStream, (*Server).watch)}

// The texts with which the reference cancels a watch that can't begin.
const (
	reasonDuplicateID = "mvcc: duplicate watch ID provided on the WatchStream"
	reasonEmptyRange  = "mvcc: watcher range is empty"
	reasonTooMany     = "pando: too many watches are open (--max-watches)"
)

// noWatchID is the ID in the response to a watch that can't begin, and in one about all watches.
const noWatchID = -1

// watchStream is a stream with any number of watches. One goroutine, that of the method, has all its state and sends all responses. A
// client that does not read its responses blocks this goroutine in SendMsg, and nothing else: the watches are cursors without queues, and
// requests wait in the connection.
type watchStream struct {
	server   *Server
	stream   *Stream
	who      auth.Credentials
	watches  map[int64]*keyWatch
	groups   map[watchOptions]*watchGroup // the groups that further watches join
	nextID   int64                        // where the search for a free ID begins
	ready    readyGroups
	response watchResponse // with events; used again
	// progressWanted says that the client has asked for a response that shows the progress of all watches.
	progressWanted bool
}

// watch serves a stream. It ends without an error when the client is gone.
func (s *Server) watch(stream *Stream) error {
	w := &watchStream{
		server: s, stream: stream, who: sender(stream.Context()),
		watches: map[int64]*keyWatch{}, groups: map[watchOptions]*watchGroup{}, ready: newReadyGroups(),
	}
	defer w.closeAll()
	requests, ended := receive[pb.WatchRequest](stream)
	ticker := time.NewTicker(s.cfg.ProgressInterval)
	defer ticker.Stop()
	for {
		var err error
		select {
		case r := <-requests:
			err = w.handle(r)
		case err = <-ended:
			ended = nil // the client may have closed its side, and still read
		case <-w.ready.signal:
			err = w.sendReady()
		case <-ticker.C:
			err = w.sendPeriodicProgress()
		case <-stream.Context().Done():
			return nil
		}
		if err == nil && w.progressWanted {
			err = w.sendProgress()
		}
		if err != nil {
			return err
		}
	}
}

func (w *watchStream) closeAll() {
	for _, k := range w.watches {
		w.end(k)
	}
}

// end ends a watch.
func (w *watchStream) end(k *keyWatch) {
	delete(w.watches, k.id)
	w.leave(k)
	w.server.cfg.Watches.End()
}

// handle serves one request. A request of a kind that is unknown is ignored, as in the reference.
func (w *watchStream) handle(r *pb.WatchRequest) error {
	switch u := r.RequestUnion.(type) {
	case *pb.WatchRequest_CreateRequest:
		if u.CreateRequest != nil {
			return w.create(u.CreateRequest)
		}
	case *pb.WatchRequest_CancelRequest:
		if u.CancelRequest != nil {
			return w.cancel(u.CancelRequest.WatchId)
		}
	case *pb.WatchRequest_ProgressRequest:
		w.progressWanted = true
	}
	return nil
}

// create begins a watch, and tells the client.
func (w *watchStream) create(r *pb.WatchCreateRequest) error {
	if r.StartRevision < 0 {
		return w.refuse(rpctypes.ErrCompacted.Error())
	}
	keys, ok := watchedRange(r)
	reason := ""
	switch {
	case !ok:
		reason = reasonEmptyRange
	case r.WatchId != 0 && w.watches[r.WatchId] != nil:
		reason = reasonDuplicateID
	case !w.server.cfg.Watches.Begin():
		reason = reasonTooMany
	}
	if reason != "" {
		// A client without the right gets no other reason, as in the reference.
		if err := w.server.cfg.Service.AuthorizeWatch(w.stream.Context(), w.who, keys); err != nil {
			return w.refuseFor(w.stream.Context(), r, err)
		}
		return w.refuse(reason)
	}
	events, revision, err := w.server.cfg.Service.WatchKeys(w.stream.Context(), w.who, keys, uint64(r.StartRevision))
	if err != nil {
		w.server.cfg.Watches.End()
		return w.refuseFor(w.stream.Context(), r, err)
	}
	g := newWatchGroup(r, keys, events)
	k := &keyWatch{id: w.idFor(r), group: g, progress: r.ProgressNotify}
	g.watches = []*keyWatch{k}
	w.watches[k.id] = k
	if err := w.send(&watchResponse{header: w.server.wireHeader(revision), id: k.id, created: true}); err != nil {
		return err
	}
	if events.Start() > revision+1 || !w.merge(g) {
		events.Notify(func() { w.ready.add(g) })
	}
	return nil
}

// idFor returns the ID of a new watch: the one that the client has chosen, or a free one.
func (w *watchStream) idFor(r *pb.WatchCreateRequest) int64 {
	if r.WatchId != 0 {
		return r.WatchId
	}
	for w.watches[w.nextID] != nil {
		w.nextID++
	}
	w.nextID++
	return w.nextID - 1
}

// refuse tells the client that a watch can't begin.
func (w *watchStream) refuse(reason string) error {
	return w.send(&watchResponse{
		header: w.server.wireHeader(w.server.cfg.Service.Revision()), id: noWatchID, created: true, canceled: true, reason: reason,
	})
}

// refuseFor tells the client why WatchKeys has failed. A watch whose start is compacted begins, and is canceled at once, as in the
// reference.
func (w *watchStream) refuseFor(ctx context.Context, r *pb.WatchCreateRequest, err error) error {
	compacted, ok := errors.AsType[*tree.Error](err)
	if !ok || compacted.Code != tree.CodeCompacted {
		return w.refuse(toStatus(ctx, err).Error())
	}
	id := w.idFor(r)
	response := &watchResponse{header: w.server.wireHeader(w.server.cfg.Service.Revision()), id: id, created: true}
	if err := w.send(response); err != nil {
		return err
	}
	return w.send(&watchResponse{header: w.server.wireHeader(0), id: id, canceled: true, compactRevision: compacted.Revision})
}

// cancel ends a watch that the client no longer wants. An unknown ID is ignored.
func (w *watchStream) cancel(id int64) error {
	k := w.watches[id]
	if k == nil {
		return nil
	}
	w.end(k)
	return w.send(&watchResponse{header: w.server.wireHeader(w.server.cfg.Service.Revision()), id: id, canceled: true})
}

// fail ends the watches of a group that can't go on. If they were too slow, the responses have the first revision with which a new watch
// can begin.
func (w *watchStream) fail(g *watchGroup, err error) error {
	response := watchResponse{header: w.server.wireHeader(0), canceled: true}
	if e, ok := errors.AsType[*tree.Error](err); ok && e.Code == tree.CodeCompacted {
		response.compactRevision = e.Revision
	} else {
		response.reason = toStatus(w.stream.Context(), err).Error()
	}
	for _, k := range slices.Clone(g.watches) {
		w.end(k)
		response.id = k.id
		if err := w.send(&response); err != nil {
			return err
		}
	}
	return nil
}

func (w *watchStream) send(r *watchResponse) error { return w.stream.SendMsg(r) }

// watchedRange returns the keys that a request wants to watch. It returns false if there can be none.
func watchedRange(r *pb.WatchCreateRequest) (keys tree.KeyRange, ok bool) {
	key := r.Key
	if len(key) == 0 {
		key = []byte{0} // the least key
	}
	keys = keyRange(key, r.RangeEnd)
	return keys, keys.To == "" || keys.From < keys.To
}
