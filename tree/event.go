package tree

import (
	"slices"
	"sync/atomic"

	"pando/tree/users"
)

// Action is the kind of change that an event describes. Clients accept only the actions
// below.
type Action uint8

// The actions. Their numbers are stored on disk: the number of an action must never
// change, and must never be used again.
const (
	ActionSet              Action = 1
	ActionCreate           Action = 2
	ActionUpdate           Action = 3
	ActionCompareAndSwap   Action = 4
	ActionDelete           Action = 5
	ActionCompareAndDelete Action = 6
	ActionExpire           Action = 7
	// ActionAuth is one of the writes of an OpUsers, or an index at which an etcd that the tree
	// follows has told its watchers nothing. Watchers never get the event. Its node is the root
	// directory.
	ActionAuth Action = 8
)

var actionNames = [...]string{
	ActionSet:              "set",
	ActionCreate:           "create",
	ActionUpdate:           "update",
	ActionCompareAndSwap:   "compareAndSwap",
	ActionDelete:           "delete",
	ActionCompareAndDelete: "compareAndDelete",
	ActionExpire:           "expire",
	ActionAuth:             "auth",
}

// String returns the name of the action in the v2 API.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return ""
}

// ActionNames returns the names of all actions in the v2 API, which are all but ActionAuth.
func ActionNames() []string { return slices.Clone(actionNames[ActionSet:ActionAuth]) }

// ParseAction returns the action with a name of the v2 API. It returns false if it is none of ActionNames.
func ParseAction(name string) (Action, bool) {
	a := slices.Index(actionNames[:ActionAuth], name)
	return Action(max(a, 0)), a > 0
}

// Removes reports whether the action removes nodes. The node of such an event has only a path and indexes.
func (a Action) Removes() bool {
	return a == ActionDelete || a == ActionCompareAndDelete || a == ActionExpire
}

// Event is one change of the tree. An Event never changes, so any goroutine may read it.
type Event struct {
	action  Action
	refresh bool // the change only set the TTL; watchers don't get the event
	v3Only  bool // the change is one of a key that v2 does not show; watchers don't get the event
	// reader and part are set in events that are made for one reader, and never stored. part is that of the method.
	reader  eventReader
	part    uint32
	time    int64                   // the time of the batch; TTLs are computed for this time
	node    *Node                   // after the change, without children; see Node
	prev    *Node                   // before the change, without children; nil if there was no node
	encoded atomic.Pointer[encoded] // the JSON; set while an EventCache keeps it
	outcome *users.Outcome          // see Outcome; not stored
}

// eventReader says whether an Event is made for one reader.
type eventReader uint8

const (
	allReaders       eventReader = iota // all readers share the event
	pageReader                          // the event is read from a sealed page; see sealedEvents
	incompleteReader                    // see Event.Incomplete
)

// isShared reports whether readers may share the event, so that its JSON is worth keeping.
func (e *Event) isShared() bool { return e.reader == allReaders && e.part == 0 }

// Outcome returns the result of an OpUsers if this is the event of its Result. It is nil for any
// other event. The Outcome must not be changed.
func (e *Event) Outcome() *users.Outcome { return e.outcome }

// Part returns the number of the event among those for the nodes that the removal of a directory removes, the first being 1, or 0 for any
// other event. Only watchers of WatchEach return parts.
func (e *Event) Part() uint32 { return e.part }

// Incomplete reports whether the event is the removal of a directory before which a watcher of WatchEach has not returned all parts,
// because the removed nodes are no longer kept.
func (e *Event) Incomplete() bool { return e.reader == incompleteReader }

// isSilent reports whether watchers of v2 don't get the event.
func (e *Event) isSilent() bool { return e.refresh || e.v3Only || e.action == ActionAuth }

// Index returns the index of the change.
func (e *Event) Index() uint64 { return e.node.ModifiedIndex() }

// Revision returns the revision of the change. An event of ActionAuth has that of the change before it.
func (e *Event) Revision() uint64 { return e.node.ModRevision() }

// Action returns the kind of the change.
func (e *Event) Action() Action { return e.action }

// Node returns the node after the change, without children. After a removal the node has
// only a path and indexes.
func (e *Event) Node() *Node { return e.node }

// Prev returns the file or directory that the event replaced or removed, or nil. It must not be called for an event of a directory whose
// removed nodes the history does not keep.
func (e *Event) Prev() *Node { return e.prev }

// Created reports whether there was no node before the change.
func (e *Event) Created() bool {
	return e.action == ActionCreate || e.action == ActionSet && e.prev == nil
}

// AppendJSON appends the event as the v2 API sends it, with a newline at the end.
func (e *Event) AppendJSON(dst []byte) []byte { return e.appendJSON(dst, &format{now: e.time}, nil) }

// AppendKeys is AppendJSON without the values of the nodes.
func (e *Event) AppendKeys(dst []byte) []byte {
	return e.appendJSON(dst, &format{now: e.time, keysOnly: true}, nil)
}

func (e *Event) appendJSON(dst []byte, f *format, p *pieces) []byte {
	dst = append(dst, `{"action":"`...)
	dst = append(dst, e.action.String()...)
	dst = append(dst, `","node":`...)
	if e.action.Removes() {
		dst = appendRemoved(dst, e.node)
	} else {
		dst = appendNode(dst, e.node, f, 0, p)
	}
	if e.prev != nil {
		dst = append(dst, `,"prevNode":`...)
		dst = appendNode(dst, e.prev, f, 0, p)
	}
	if e.part != 0 {
		dst = appendUint(append(dst, `,"part":`...), uint64(e.part))
	}
	if e.Incomplete() {
		dst = append(dst, `,"incomplete":true`...)
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

// largeEvent is the largest total size of the values of a small event, in bytes.
const largeEvent = 32 << 10
