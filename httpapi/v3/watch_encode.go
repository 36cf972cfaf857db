package v3

import (
	"google.golang.org/protobuf/encoding/protowire"

	"pando/tree"
)

// watchResponse is an etcdserverpb.WatchResponse.
type watchResponse struct {
	header            responseHeader
	id                int64
	created, canceled bool
	compactRevision   uint64
	reason            string
	fragment          bool

	events []tree.KeyEvent
	prevKV bool // the events show the file before the change
	// compacted is the compact revision. An event at it shows no file before the change, as in the reference: that file is compacted.
	compacted uint64
}

// The numbers of the fields of etcdserverpb.WatchResponse.
const (
	headerField          = 1
	watchIDField         = 2
	createdField         = 3
	canceledField        = 4
	compactRevisionField = 5
	cancelReasonField    = 6
	fragmentField        = 7
	eventsField          = 11
)

// Size returns the number of bytes that AppendTo appends.
func (r *watchResponse) Size() int {
	return sizeHeader(&r.header) + sizeNumber(watchIDField, uint64(r.id)) + r.sizeContents()
}

// AppendTo appends the wire form.
func (r *watchResponse) AppendTo(b []byte) []byte {
	b = appendHeader(b, &r.header)
	return r.appendContents(appendNumber(b, watchIDField, uint64(r.id)))
}

// sizeContents returns the number of bytes that appendContents appends.
func (r *watchResponse) sizeContents() int {
	size := sizeNumber(createdField, protowire.EncodeBool(r.created)) + sizeNumber(canceledField, protowire.EncodeBool(r.canceled)) +
		sizeNumber(compactRevisionField, r.compactRevision) + sizeText(cancelReasonField, r.reason) +
		sizeNumber(fragmentField, protowire.EncodeBool(r.fragment))
	for i := range r.events {
		e := &r.events[i]
		size += sizeMessage(eventsField, sizeEvent(e, r.showsPrev(e)))
	}
	return size
}

// appendContents appends the fields that follow the header and the ID.
func (r *watchResponse) appendContents(b []byte) []byte {
	b = appendNumber(b, createdField, protowire.EncodeBool(r.created))
	b = appendNumber(b, canceledField, protowire.EncodeBool(r.canceled))
	b = appendNumber(b, compactRevisionField, r.compactRevision)
	b = appendText(b, cancelReasonField, r.reason)
	b = appendNumber(b, fragmentField, protowire.EncodeBool(r.fragment))
	for i := range r.events {
		e := &r.events[i]
		prev := r.showsPrev(e)
		b = appendEvent(appendHead(b, eventsField, sizeEvent(e, prev)), e, prev)
	}
	return b
}

// showsPrev reports whether an event shows the file before the change.
func (r *watchResponse) showsPrev(e *tree.KeyEvent) bool {
	return r.prevKV && e.Prev != nil && e.Revision() > r.compacted
}

// The numbers of the fields of mvccpb.Event.
const (
	typeField   = 1
	kvField     = 2
	prevKVField = 3

	typeDelete = 1 // a type that is put is 0
)

// appendEvent appends a mvccpb.Event. With prev it shows the file before the change, which must not be nil then.
func appendEvent(b []byte, e *tree.KeyEvent, prev bool) []byte {
	if e.Deleted {
		b = appendNumber(b, typeField, typeDelete)
		b = appendRemoved(appendHead(b, kvField, sizeRemoved(e.Node)), e.Node)
	} else {
		b = appendKeyValue(appendHead(b, kvField, sizeKeyValue(e.Node)), e.Node)
	}
	if prev {
		b = appendKeyValue(appendHead(b, prevKVField, sizeKeyValue(e.Prev)), e.Prev)
	}
	return b
}

func sizeEvent(e *tree.KeyEvent, prev bool) (size int) {
	if e.Deleted {
		size = sizeNumber(typeField, typeDelete) + sizeMessage(kvField, sizeRemoved(e.Node))
	} else {
		size = sizeMessage(kvField, sizeKeyValue(e.Node))
	}
	if prev {
		size += sizeMessage(prevKVField, sizeKeyValue(e.Prev))
	}
	return size
}
