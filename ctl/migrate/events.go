package migrate

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"pando/ctl/client"
	"pando/tree"
)

// largePrevValue is the size in bytes above which the previous value of an event is left out of a change. The target has the previous node
// itself. Without it, a change with one large event would be twice as large.
const largePrevValue = 64 << 10

// errUnknownAction is returned for an event of a server that has other actions than etcd.
var errUnknownAction = errors.New("migrate: the source sent a change of an unknown kind; is it an etcd with --enable-v2?")

// fieldsOf returns a node of the v2 API as the target stores it.
func fieldsOf(n *client.Node) tree.NodeFields {
	f := tree.NodeFields{
		Path: cmp.Or(n.Key, "/"), Value: n.Value, Dir: n.Dir, Created: n.CreatedIndex, Modified: n.ModifiedIndex,
	}
	if n.Expiration != nil {
		f.Expires = n.Expiration.UnixNano()
	}
	return f
}

// eventOf returns an event of the v2 API as the target stores it.
func eventOf(e *client.Event) (tree.EventFields, error) {
	action, ok := tree.ParseAction(e.Action)
	f := tree.EventFields{Action: action, Time: timeOf(e), Node: fieldsOf(e.Node)}
	if !ok {
		return f, fmt.Errorf("%w: %s of %s", errUnknownAction, e.Action, f.Node.Path)
	}
	if e.PrevNode != nil {
		prev := fieldsOf(e.PrevNode)
		if len(prev.Value) > largePrevValue && prev.Expires == 0 { // the target may not have seen the last refresh of a TTL
			prev.Value = ""
		}
		f.Prev = &prev
	}
	return f, nil
}

// timeOf returns the time of an event in nanoseconds since 1970, so that the TTLs that the target computes for this time are those in the
// event. An event without a TTL has the current time.
func timeOf(e *client.Event) int64 {
	for _, n := range []*client.Node{e.Node, e.PrevNode} {
		if n != nil && n.Expiration != nil && n.TTL > 0 {
			return n.Expiration.Add(-time.Duration(n.TTL) * time.Second).UnixNano()
		}
	}
	return time.Now().UnixNano()
}

// indexOf returns the index of an event.
func indexOf(e *tree.EventFields) uint64 { return e.Node.Modified }

// encodedSize estimates the size of an event in a change, in bytes.
func encodedSize(e *tree.EventFields) int {
	size := nodeSize(&e.Node)
	if e.Prev != nil {
		size += nodeSize(e.Prev)
	}
	return size
}

// nodeOverhead is about the size of a node in a change without its path and its value, in bytes.
const nodeOverhead = 120

func nodeSize(n *tree.NodeFields) int { return nodeOverhead + len(n.Path) + len(n.Value) }
