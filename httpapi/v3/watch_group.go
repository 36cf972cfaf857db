package v3

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"pando/httpapi/service"
	"pando/tree"
)

// keyWatch is a watch of a watchStream.
type keyWatch struct {
	id    int64
	group *watchGroup
	place int // in the watches of the group
	// progress says that the client gets a response now and then while there are no events.
	progress bool
}

// watchOptions are what decides which events a watch sends, and how.
type watchOptions struct {
	keys   tree.KeyRange
	prevKV bool // events show the file before the change
	// noPut and noDelete leave out events.
	noPut, noDelete bool
	// fragments says that a large response may be sent in several ones, of which all but the last say that more follow. Without it the
	// client gets all events of a revision in one response.
	fragments bool
}

// watchGroup is one watch of a watchStream, or several that have the same options and have sent the same events. It has one cursor for all
// of them, so an event is read and encoded once. A watch begins in a group of its own. When the group has sent all events, it is merged
// into the group that has the same options. Watches with fragments stay alone: the fragments of a response to one of them must follow each
// other.
type watchGroup struct {
	watchOptions
	events  *service.KeyWatch
	watches []*keyWatch // empty when the group has ended
	// active says that something was sent since the last look at the progress.
	active bool
	// parts are the events of a revision that is not complete yet, for clients that need them in one response.
	parts     []tree.KeyEvent
	partBytes int

	queued bool // in readyGroups, whose mutex guards it
}

func newWatchGroup(r *pb.WatchCreateRequest, keys tree.KeyRange, events *service.KeyWatch) *watchGroup {
	g := &watchGroup{watchOptions: watchOptions{keys: keys, prevKV: r.PrevKv, fragments: r.Fragment}, events: events}
	for _, f := range r.Filters {
		switch f {
		case pb.WatchCreateRequest_NOPUT:
			g.noPut = true
		case pb.WatchCreateRequest_NODELETE:
			g.noDelete = true
		}
	}
	return g
}

// merge moves the watches of a group into the one that further watches join, if both have sent the same events. It reports whether it has.
// If there is no such group, g becomes that group.
func (w *watchStream) merge(g *watchGroup) bool {
	if g.fragments {
		return false
	}
	into := w.groups[g.watchOptions]
	if into == nil {
		w.groups[g.watchOptions] = g
		return false
	}
	if into == g || !g.events.MergeInto(into.events) {
		return false
	}
	for _, k := range g.watches {
		k.group, k.place = into, len(into.watches)
		into.watches = append(into.watches, k)
	}
	g.watches = nil
	return true
}

// leave removes a watch from its group, which ends with its last watch.
func (w *watchStream) leave(k *keyWatch) {
	g := k.group
	last := len(g.watches) - 1
	g.watches[k.place] = g.watches[last]
	g.watches[k.place].place = k.place
	g.watches[last] = nil
	g.watches = g.watches[:last]
	if last == 0 && w.groups[g.watchOptions] == g {
		delete(w.groups, g.watchOptions)
	}
	g.events.Close()
}

// filter returns the events that the client wants. It may change the slice.
func (g *watchGroup) filter(events []tree.KeyEvent) []tree.KeyEvent {
	if !g.noPut && !g.noDelete {
		return events
	}
	wanted := events[:0]
	for _, e := range events {
		if e.Deleted && !g.noDelete || !e.Deleted && !g.noPut {
			wanted = append(wanted, e)
		}
	}
	return wanted
}

// sizeEvent returns about the size of an event in a response.
func (g *watchGroup) sizeEvent(e *tree.KeyEvent) int { return sizeEvent(e, g.prevKV && e.Prev != nil) }

// firstWithin returns the number of the first events that have at most a number of bytes together, at least one.
func (g *watchGroup) firstWithin(events []tree.KeyEvent, limit int64) int {
	size := int64(0)
	for i := range events {
		size += int64(g.sizeEvent(&events[i]))
		if i > 0 && size > limit {
			return i
		}
	}
	return len(events)
}

// revisionsWithin is firstWithin for whole revisions. It returns at least the events of the first revision.
func (g *watchGroup) revisionsWithin(events []tree.KeyEvent, limit int64) int {
	end := g.firstWithin(events, limit)
	for n := end; n > 0; n-- { // back to the end of a revision
		if endsRevision(events, n) {
			return n
		}
	}
	for !endsRevision(events, end) {
		end++
	}
	return end
}

// endsRevision reports whether the first n events end with the last one of a revision. n must be at least 1.
func endsRevision(events []tree.KeyEvent, n int) bool {
	return n == len(events) || events[n-1].Revision() != events[n].Revision()
}
