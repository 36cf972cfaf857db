package v3

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"pando/httpapi/service"
	"pando/tree"
)

// keyWatch is a watch of a watchStream.
type keyWatch struct {
	id     int64
	events *service.KeyWatch
	prevKV bool // events show the file before the change
	// noPut and noDelete leave out events.
	noPut, noDelete bool
	// fragments says that a large response may be sent in several ones. Without it the client gets all events of a revision in one
	// response.
	fragments bool
	// progress says that the client gets a response now and then while there are no events.
	progress bool
	// active says that something was sent since the last look at the progress.
	active bool
	// parts are the events of a revision that is not complete yet, for a client that needs them in one response.
	parts     []tree.KeyEvent
	partBytes int

	queued bool // in readyWatches, whose mutex guards it
}

func newKeyWatch(id int64, r *pb.WatchCreateRequest, events *service.KeyWatch) *keyWatch {
	k := &keyWatch{id: id, events: events, prevKV: r.PrevKv, fragments: r.Fragment, progress: r.ProgressNotify}
	for _, f := range r.Filters {
		switch f {
		case pb.WatchCreateRequest_NOPUT:
			k.noPut = true
		case pb.WatchCreateRequest_NODELETE:
			k.noDelete = true
		}
	}
	return k
}

// pollBytes is about the size of the events that a watch sends before the next watch of the stream has its turn.
const pollBytes = 1 << 20

// maxRevisionBytes is about the size of the largest revision that is sent to a client that does not take fragments.
const maxRevisionBytes = 256 << 20

// errRevisionTooLarge is the error of a watch whose client does not take fragments.
var errRevisionTooLarge = status.Error(codes.ResourceExhausted, fmt.Sprintf(
	"pando: a revision has more than %d MiB of events: watch with fragments", maxRevisionBytes>>20))

// sendReady sends events of each watch that is ready now, once: a watch with many events must not delay the others.
func (w *watchStream) sendReady() error {
	w.stream.DeferWrites()
	defer w.stream.FlushWrites()
	for _, k := range w.ready.take() {
		if w.watches[k.id] != k {
			continue // it has ended
		}
		if _, err := w.poll(k); err != nil {
			return err
		}
	}
	return nil
}

// poll sends the next events of a watch, and puts it back into the list if it may have more. It returns the revision up to which the watch
// has sent everything, or 0 if there may be more to send.
func (w *watchStream) poll(k *keyWatch) (revision uint64, err error) {
	batch, err := k.events.Poll(pollBytes)
	if err != nil {
		return 0, w.fail(k, err)
	}
	if len(batch.Events) == 0 && !batch.Partial {
		return batch.Revision, nil
	}
	if !batch.Live {
		w.ready.add(k)
	}
	if batch.Partial && !k.fragments || len(k.parts) > 0 {
		err = w.collect(k, &batch)
	} else {
		err = w.sendEvents(k, batch.Events)
	}
	if err != nil || !batch.Live {
		return 0, err
	}
	return batch.Revision, nil
}

// collect keeps the events of a revision until it is complete, and sends them then.
func (w *watchStream) collect(k *keyWatch, batch *tree.KeyBatch) error {
	k.parts = append(k.parts, batch.Events...)
	for i := range batch.Events {
		k.partBytes += k.sizeEvent(&batch.Events[i])
	}
	if k.partBytes > maxRevisionBytes {
		return w.fail(k, errRevisionTooLarge)
	}
	if batch.Partial {
		return nil
	}
	events := k.parts
	k.parts, k.partBytes = nil, 0
	return w.sendEvents(k, events)
}

// sendEvents sends events. A client that takes fragments gets several responses if one would be larger than a request may be, and all but
// the last say that more follow.
func (w *watchStream) sendEvents(k *keyWatch, events []tree.KeyEvent) error {
	events = k.filter(events)
	header := w.server.wireHeader(w.server.cfg.Service.Revision())
	for len(events) > 0 {
		n := len(events)
		if k.fragments {
			n = w.fragment(k, events)
		}
		w.response = watchResponse{
			header: header, id: k.id, events: events[:n], prevKV: k.prevKV, fragment: n < len(events),
			compacted: w.server.cfg.Service.CompactRevision(), last: &w.last,
		}
		if err := w.send(&w.response); err != nil {
			return err
		}
		k.active = true
		events = events[n:]
	}
	return nil
}

// fragment returns the number of events of the next response, at least one.
func (w *watchStream) fragment(k *keyWatch, events []tree.KeyEvent) int {
	size := 0
	for i := range events {
		size += k.sizeEvent(&events[i])
		if i > 0 && int64(size) > w.server.cfg.Limits.RequestBytes {
			return i
		}
	}
	return len(events)
}

// sizeEvent returns about the size of an event in a response.
func (k *keyWatch) sizeEvent(e *tree.KeyEvent) int { return sizeEvent(e, k.prevKV && e.Prev != nil) }

// filter returns the events that the client wants. It may change the slice.
func (k *keyWatch) filter(events []tree.KeyEvent) []tree.KeyEvent {
	if !k.noPut && !k.noDelete {
		return events
	}
	wanted := events[:0]
	for _, e := range events {
		if e.Deleted && !k.noDelete || !e.Deleted && !k.noPut {
			wanted = append(wanted, e)
		}
	}
	return wanted
}

// sendProgress sends the response for which the client has asked, as soon as all watches have sent everything up to a revision. Without
// watches, and while a watch begins at a later revision, there is no response, as in the reference.
func (w *watchStream) sendProgress() error {
	revision := w.server.cfg.Service.Revision()
	for _, k := range w.watches {
		done, err := w.poll(k)
		switch {
		case err != nil:
			return err
		case done == 0:
			return nil // events go first
		case k.events.Start() > done+1:
			w.progressWanted = false
			return nil
		}
		revision = min(revision, done)
	}
	w.progressWanted = false
	if len(w.watches) == 0 {
		return nil
	}
	return w.send(&watchResponse{header: w.server.wireHeader(revision), id: noWatchID})
}

// sendPeriodicProgress sends a response to the watches that want it and have sent nothing for an interval.
func (w *watchStream) sendPeriodicProgress() error {
	for _, k := range w.watches {
		active := k.active
		k.active = false
		if !k.progress || active {
			continue
		}
		revision, err := w.poll(k)
		if err != nil {
			return err
		}
		if revision == 0 || k.events.Start() > revision+1 {
			continue
		}
		if err := w.send(&watchResponse{header: w.server.wireHeader(revision), id: k.id}); err != nil {
			return err
		}
	}
	return nil
}
