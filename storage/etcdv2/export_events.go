package etcdv2

import (
	"strconv"
	"time"

	"pando/tree"
)

// etcdHistory is the number of events that etcd keeps. maxSkipped is the largest number of indexes without an event that get one.
const (
	etcdHistory = 1000
	maxSkipped  = 100_000
)

// history writes the ring of events, from its first place on. etcd computes the place of an event from its index, so each index needs an
// event. If the tree has none for an index, history writes one in the namespace of the members, which no client can watch.
func (w *exportWriter) history(v *tree.View) {
	events := w.export.Store.TakeAll().Events
	oldest := v.OldestEvent()
	room := max(etcdHistory, min(v.Index()+1-oldest, uint64(events.Len())+maxSkipped))
	if oldest == 2 {
		oldest = 1 // in etcd the first event is always one of the members
	}
	oldest = max(oldest, v.Index()+1-min(room, v.Index()))
	next := 0
	for index := oldest; index <= v.Index(); index++ {
		var event *tree.Event // the first one that is not before the index
		for ; next < events.Len(); next++ {
			if event = events.At(next); event.Index() >= index {
				break
			}
		}
		w.comma()
		if event != nil && event.Index() == index && event.Action() != tree.ActionAuth {
			f := event.Fields()
			w.event(&f)
			w.report.addEvent(index)
			continue
		}
		w.number(`{"action":"set","node":{"key":"/0","dir":true,"modifiedIndex":`, index)
		w.number(`,"createdIndex":`, index)
		w.raw("}}")
		if index > 1 {
			w.report.addEvent(index)
		}
	}
	size := v.Index() + 1 - oldest
	for free := size; free < room; free++ {
		w.comma()
		w.raw("null")
	}
	w.number(`],"Size":`, size)
	w.number(`,"Front":0,"Back":`, size%room)
	w.number(`,"Capacity":`, room)
	w.number(`},"StartIndex":`, oldest)
	w.number(`,"LastIndex":`, v.Index())
}

// event writes an event of a key.
func (w *exportWriter) event(e *tree.EventFields) {
	w.text(`{"action":`, e.Action.String())
	if e.Action.Removes() {
		w.beginNode(`,"node":`, &e.Node)
		w.endNode(&e.Node)
	} else {
		w.eventNode(`,"node":`, &e.Node, e.Time)
	}
	if e.Prev != nil {
		w.eventNode(`,"prevNode":`, e.Prev, e.Time)
	}
	if e.Refresh {
		w.raw(`,"refresh":true`)
	}
	w.raw("}")
}

// eventNode writes a node of an event after a text, with its value and the TTL that was left at a time.
func (w *exportWriter) eventNode(before string, n *tree.NodeFields, at int64) {
	w.beginNode(before, n)
	if !n.Dir {
		w.text(`,"value":`, n.Value)
	}
	if n.Expires != 0 {
		w.time(`,"expiration":`, n.Expires)
		if ttl := tree.SecondsLeft(n.Expires, at); ttl != 0 {
			w.raw(`,"ttl":`)
			w.buf = strconv.AppendInt(w.buf, ttl, 10)
		}
	}
	w.endNode(n)
}

// beginNode writes a text and the fields of a node before its value. The caller must call endNode.
func (w *exportWriter) beginNode(before string, n *tree.NodeFields) {
	w.raw(before)
	w.text(`{"key":`, keySpace+n.Path)
	if n.Dir {
		w.raw(`,"dir":true`)
	}
}

// endNode writes the fields of a node after its value and its TTL.
func (w *exportWriter) endNode(n *tree.NodeFields) {
	w.number(`,"modifiedIndex":`, n.Modified)
	w.number(`,"createdIndex":`, n.Created)
	w.raw("}")
}

// shownTime returns the latest time for which an event shows the same TTLs as for its own time, or zero if it shows none.
// etcd keeps the TTLs of an event and not its time, so only this time can be known.
func shownTime(e *tree.EventFields) int64 {
	at := int64(0)
	for _, n := range []*tree.NodeFields{&e.Node, e.Prev} {
		if n != nil && n.Expires != 0 {
			at = max(at, n.Expires-tree.SecondsLeft(n.Expires, e.Time)*int64(time.Second))
		}
	}
	return at
}
