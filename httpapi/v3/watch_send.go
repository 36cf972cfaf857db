package v3

import (
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"pando/tree"
)

// pollBytes is about the size of the events that a watch sends before the next group of the stream has its turn.
const pollBytes = 1 << 20

// maxRevisionBytes is about the size of the largest revision that is sent to a client that does not take fragments.
const maxRevisionBytes = 256 << 20

// errRevisionTooLarge is the error of a watch whose client does not take fragments.
var errRevisionTooLarge = status.Error(codes.ResourceExhausted, fmt.Sprintf(
	"pando: a revision has more than %d MiB of events: watch with fragments", maxRevisionBytes>>20))

// sendReady sends events of each group that is ready now, once: a group with many events must not delay the others.
func (w *watchStream) sendReady() error {
	w.stream.DeferWrites()
	defer w.stream.FlushWrites()
	groups := slices.DeleteFunc(w.ready.take(), func(g *watchGroup) bool { return len(g.watches) == 0 }) // they have ended
	for _, g := range groups {
		if _, err := w.poll(g); err != nil {
			return err
		}
	}
	for _, g := range groups { // all of them have sent the same events now, unless one has more
		if len(g.watches) > 0 {
			w.merge(g)
		}
	}
	return nil
}

// poll sends the next events of a group, and puts it back into the list if it may have more. It returns the revision up to which the group
// has sent everything, or 0 if there may be more to send.
func (w *watchStream) poll(g *watchGroup) (revision uint64, err error) {
	batch, err := g.events.Poll(pollBytes)
	if err != nil {
		return 0, w.fail(g, err)
	}
	if len(batch.Events) == 0 && !batch.Partial {
		return batch.Revision, nil
	}
	switch {
	case batch.Partial && g.fragments:
		batch, err = w.sendParts(g, batch)
	case batch.Partial || len(g.parts) > 0:
		err = w.collect(g, &batch)
	default:
		err = w.sendEvents(g, g.filter(batch.Events), 0)
	}
	if !batch.Live {
		w.ready.add(g)
	}
	if err != nil || !batch.Live {
		return 0, err
	}
	return batch.Revision, nil
}

// sendParts sends a revision that Poll returns in parts, to a client that takes fragments. Between the first and the last fragment it sends
// no response of another watch: clients ignore such a response. sendParts returns the batch that completes the revision.
func (w *watchStream) sendParts(g *watchGroup, batch tree.KeyBatch) (tree.KeyBatch, error) {
	events := g.filter(batch.Events)
	for batch.Partial {
		next, err := g.events.Poll(pollBytes)
		if err != nil {
			return tree.KeyBatch{}, w.fail(g, err)
		}
		batch = next
		if wanted := g.filter(next.Events); len(wanted) > 0 {
			if err := w.sendEvents(g, events, len(wanted)); err != nil {
				return tree.KeyBatch{}, err
			}
			events = wanted
		}
	}
	return batch, w.sendEvents(g, events, 0)
}

// collect keeps the events of a revision until it is complete, and sends them then.
func (w *watchStream) collect(g *watchGroup, batch *tree.KeyBatch) error {
	g.parts = append(g.parts, batch.Events...)
	for i := range batch.Events {
		g.partBytes += g.sizeEvent(&batch.Events[i])
	}
	if g.partBytes > maxRevisionBytes {
		return w.fail(g, errRevisionTooLarge)
	}
	if batch.Partial {
		return nil
	}
	events := g.parts
	g.parts, g.partBytes = nil, 0
	return w.sendEvents(g, g.filter(events), 0)
}

// sendEvents sends events to each watch of a group. A client that takes fragments gets several responses if one would be larger than a
// request may be, and all but the last say that more follow. following is the number of events of the same revision that the caller sends
// next.
func (w *watchStream) sendEvents(g *watchGroup, events []tree.KeyEvent, following int) error {
	header := w.server.wireHeader(w.server.cfg.Service.Revision())
	for len(events) > 0 {
		n := len(events)
		if g.fragments {
			n = g.firstWithin(events, w.server.cfg.Limits.RequestBytes)
		}
		if len(g.watches) > 1 {
			n = g.revisionsWithin(events, sharedBytes)
		}
		w.response = watchResponse{
			header: header, events: events[:n], prevKV: g.prevKV, compacted: w.server.cfg.Service.CompactRevision(),
			fragment: g.fragments && n < len(events) || following > 0,
		}
		if err := w.sendToAll(g, &w.response); err != nil {
			return err
		}
		g.active = true
		events = events[n:]
	}
	return nil
}

// sendProgress sends the response for which the client has asked, as soon as all watches have sent everything up to a revision. Without
// watches, and while a watch begins at a later revision, there is no response, as in the reference.
func (w *watchStream) sendProgress() error {
	revision := w.server.cfg.Service.Revision()
	for _, k := range w.watches {
		g := k.group
		if k != g.watches[0] {
			continue // its group has its turn once
		}
		done, err := w.poll(g)
		switch {
		case err != nil:
			return err
		case len(g.watches) == 0:
			continue // the group has failed
		case done == 0:
			return nil // events go first
		case g.events.Start() > done+1:
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
		if k != k.group.watches[0] {
			continue
		}
		if err := w.sendGroupProgress(k.group); err != nil {
			return err
		}
	}
	return nil
}

// sendGroupProgress is sendPeriodicProgress for the watches of a group.
func (w *watchStream) sendGroupProgress(g *watchGroup) error {
	active := g.active
	g.active = false
	wanted := slices.ContainsFunc(g.watches, func(k *keyWatch) bool { return k.progress })
	if active || !wanted {
		return nil
	}
	revision, err := w.poll(g)
	if err != nil || revision == 0 || g.events.Start() > revision+1 {
		return err
	}
	for _, k := range g.watches {
		if !k.progress {
			continue
		}
		if err := w.send(&watchResponse{header: w.server.wireHeader(revision), id: k.id}); err != nil {
			return err
		}
	}
	return nil
}
