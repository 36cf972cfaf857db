package tree

import "sync/atomic"

// Action is the word by which an event says what happened. The set is closed:
// clients fail on any other.
type Action uint8

// The actions. Their numbers are on disk: never reuse one.
const (
	ActionSet              Action = 1
	ActionCreate           Action = 2
	ActionUpdate           Action = 3
	ActionCompareAndSwap   Action = 4
	ActionDelete           Action = 5
	ActionCompareAndDelete Action = 6
	ActionExpire           Action = 7
)

var actionNames = [...]string{
	ActionSet:              "set",
	ActionCreate:           "create",
	ActionUpdate:           "update",
	ActionCompareAndSwap:   "compareAndSwap",
	ActionDelete:           "delete",
	ActionCompareAndDelete: "compareAndDelete",
	ActionExpire:           "expire",
}

// String is the word that the API uses.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return ""
}

// removes reports whether the action takes nodes away.
func (a Action) removes() bool {
	return a == ActionDelete || a == ActionCompareAndDelete || a == ActionExpire
}

// Event is one change of the tree. It never changes once it is made.
type Event struct {
	action  Action
	refresh bool                    // a renewed TTL, which no watcher sees
	time    int64                   // the time of its batch: TTLs are shown as of then
	node    *Node                   // what is there now; for a removal the path and the indexes
	prev    *Node                   // what was there before, nil when nothing was
	encoded atomic.Pointer[encoded] // its JSON, as long as Encodings keeps it
}

// Index is the index of the change.
func (e *Event) Index() uint64 { return e.node.modified }

// Action says what happened.
func (e *Event) Action() Action { return e.action }

// Node is the node after the change, without children.
func (e *Event) Node() *Node { return e.node }

// PrevNode is the node before the change, without children, or nil.
func (e *Event) PrevNode() *Node { return e.prev }

// Refresh reports whether the event only renewed a TTL.
func (e *Event) Refresh() bool { return e.refresh }

// Created reports whether a node came to be where none was.
func (e *Event) Created() bool {
	return e.action == ActionCreate || e.action == ActionSet && e.prev == nil
}

// AppendJSON appends the event as the API sends it, with the newline at the
// end.
func (e *Event) AppendJSON(dst []byte) []byte { return e.appendJSON(dst, nil) }

func (e *Event) appendJSON(dst []byte, p *pieces) []byte {
	dst = append(dst, `{"action":"`...)
	dst = append(dst, e.action.String()...)
	dst = append(dst, `","node":`...)
	if e.action.removes() {
		dst = appendRemoved(dst, e.node)
	} else {
		dst = appendNode(dst, e.node, e.time, 0, p)
	}
	if e.prev != nil {
		dst = append(dst, `,"prevNode":`...)
		dst = appendNode(dst, e.prev, e.time, 0, p)
	}
	return append(dst, "}\n"...)
}

// Large reports whether the event's JSON is too large to be copied for each of the
// watchers that it goes to.
func (e *Event) Large() bool {
	size := len(e.node.Value())
	if e.prev != nil {
		size += len(e.prev.Value())
	}
	return size > largeEvent
}

// largeEvent is how many bytes the values of a small event have at most.
const largeEvent = 32 << 10
