package tree

import "sync/atomic"

// Action says what an event did to its node. Clients do not accept any other action
// than these.
type Action uint8

// The actions. Their numbers are on disk and must never be used for another action.
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

// String is the name of the action in the v2 API.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return ""
}

// removes reports whether the action removes nodes.
func (a Action) removes() bool {
	return a == ActionDelete || a == ActionCompareAndDelete || a == ActionExpire
}

// Event is one change of the tree. It never changes after it was made, so any goroutine
// may read it.
type Event struct {
	action  Action
	refresh bool                    // only the TTL was renewed; watchers do not get the event
	time    int64                   // of its batch; TTLs are shown as of this time
	node    *Node                   // after the change, without children; after a removal only path and indexes
	prev    *Node                   // before the change, without children; nil if there was none
	encoded atomic.Pointer[encoded] // the JSON, while an EventCache keeps it
}

// Index is the index of the change.
func (e *Event) Index() uint64 { return e.node.modified }

// Action is what happened.
func (e *Event) Action() Action { return e.action }

// Node is the node after the change, without children. After a removal it has the path
// and the indexes alone.
func (e *Event) Node() *Node { return e.node }

// Created reports whether there was no node before the change.
func (e *Event) Created() bool {
	return e.action == ActionCreate || e.action == ActionSet && e.prev == nil
}

// AppendJSON appends the event as the v2 API sends it, with a newline at the end.
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

// Large reports whether the JSON of the event is too large to be copied for each
// watcher that gets it.
func (e *Event) Large() bool {
	size := len(e.node.Value())
	if e.prev != nil {
		size += len(e.prev.Value())
	}
	return size > largeEvent
}

// largeEvent is the number of bytes that the values of a small event have at most.
const largeEvent = 32 << 10
