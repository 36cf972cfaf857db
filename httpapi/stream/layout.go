package stream

import (
	"strconv"

	"pando/tree"
)

// Layout is the text around the JSON objects of a body. Framing frames text and object together.
type Layout uint8

// The layouts of a body.
const (
	// JSON is a sequence of objects, one on each line. A heartbeat is an empty line.
	JSON Layout = iota
	// ServerSentEvents is the format text/event-stream of the HTML standard. The ID of an event is its EventID. An error is an event
	// with the name "cleared" if events were lost, and otherwise "failed". A heartbeat is an ID without data, or a comment. Clients keep
	// such an ID, but their handlers get no event.
	//
	// The ID of "cleared" is the index of the tree at that time. A client that reads the keys after "cleared" has all changes up to this
	// index, and so it continues after it. "failed" has no ID: the client continues after the last ID that it has received.
	ServerSentEvents
)

// EventID is the ID of a server-sent event: the index of its change. For a part (tree.Event.Part) it is followed by a dot and the number of
// the part. A client that connects again continues after it.
type EventID struct {
	Index uint64
	Part  uint32
}

// idOf returns the ID of an event.
func idOf(e *tree.Event) EventID { return EventID{e.Index(), e.Part()} }

// reconnectAfter is the time after which a browser connects again, in milliseconds.
const reconnectAfter = 1000

// The names of server-sent events that are errors. A name that browsers use for their own events, such as "error", can't be one.
const (
	nameCleared = "cleared"
	nameFailed  = "failed"
)

// appendOpening appends the beginning of a body whose first event comes after an ID. A client that connects again before the first
// event continues after this ID.
func (l Layout) appendOpening(dst []byte, after EventID) []byte {
	if l == JSON {
		return dst
	}
	dst = append(dst, "retry: "...)
	dst = strconv.AppendInt(dst, reconnectAfter, 10)
	return append(appendID(append(dst, '\n'), after), '\n')
}

// appendID appends the line of an ID.
func appendID(dst []byte, id EventID) []byte {
	dst = append(dst, "id: "...)
	dst = strconv.AppendUint(dst, id.Index, 10)
	if id.Part != 0 {
		dst = append(dst, '.')
		dst = strconv.AppendUint(dst, uint64(id.Part), 10)
	}
	return append(dst, '\n')
}

// appendHeader appends the text before an object. id is the ID after which a client continues, or zero if the client keeps the last ID.
// name is empty for an event of the tree.
func (l Layout) appendHeader(dst []byte, id EventID, name string) []byte {
	if l == JSON {
		return dst
	}
	if name != "" {
		dst = append(dst, "event: "...)
		dst = append(dst, name...)
		dst = append(dst, '\n')
	}
	if id.Index != 0 {
		dst = appendID(dst, id)
	}
	return append(dst, "data: "...)
}

// trailer returns the text after an object, which ends with a newline.
func (l Layout) trailer() string {
	if l == JSON {
		return ""
	}
	return "\n"
}

// appendHeartbeat appends the text that shows a client that the connection is open. index is the ID after which a client continues, or 0
// if the client keeps the last ID.
func (l Layout) appendHeartbeat(dst []byte, index uint64) []byte {
	switch {
	case l == JSON:
		return append(dst, '\n')
	case index == 0:
		return append(dst, ":\n\n"...)
	}
	return append(appendID(dst, EventID{Index: index}), '\n')
}
