package etcdv2

import (
	"fmt"
	"time"

	"pando/storage/wire"
	"pando/tree"
)

// recoverStore makes the model from the JSON of a snapshot. It calls progress from time to time with the bytes that were read since the
// last call, and ends with the error of progress.
func recoverStore(content []byte, historySize int, progress func(bytes int64) error) (*store, error) {
	r := recovery{scanner: scanner{data: content}, store: newStore(historySize), progress: progress}
	r.store.root = nil
	r.object(func(name string) {
		switch name {
		case "Root":
			r.store.root = r.node(nil, "", 0)
		case "WatcherHub":
			r.hub()
		case "CurrentIndex":
			r.store.index = r.unsigned()
		case "Stats":
			r.stats()
		default:
			r.skip(0)
		}
	})
	if r.peek(); r.err == nil && r.at < len(r.data) {
		r.fail("more follows after the end")
	}
	if r.err == nil {
		r.err = r.check()
	}
	return r.store, r.err
}

// recovery reads the JSON of a snapshot.
type recovery struct {
	scanner
	store  *store
	newest uint64 // the highest index of a node

	progress func(bytes int64) error
	nodes    int // that were read
	reported int // the bytes that progress was called with
}

// reportInterval is the number of nodes between two calls of progress.
const reportInterval = 4096

// count counts a node, and reports the progress.
func (r *recovery) count() {
	if r.nodes++; r.nodes%reportInterval != 0 || r.err != nil {
		return
	}
	r.err = r.progress(int64(r.at - r.reported))
	r.reported = r.at
}

// check compares the parts with each other.
func (r *recovery) check() error {
	s := r.store
	if s.root == nil || !s.root.isDir() {
		return fmt.Errorf("%w: the root is missing", wire.ErrMalformed)
	}
	for _, name := range []string{clusterSpace[1:], keySpace[1:]} {
		if n := s.root.children[name]; n == nil || !n.isDir() {
			return fmt.Errorf("%w: the namespace /%s is missing", wire.ErrMalformed, name)
		}
	}
	if r.newest > s.index {
		return fmt.Errorf("%w: a node has the index %d, but the index of the store is %d", wire.ErrMalformed, r.newest, s.index)
	}
	next := uint64(0)
	for e := range s.events.all() {
		if next != 0 && e.Node.Modified != next {
			return fmt.Errorf("%w: event %d is in the place of event %d", wire.ErrMalformed, e.Node.Modified, next)
		}
		next = e.Node.Modified + 1
	}
	if next != 0 && next != s.index+1 {
		return fmt.Errorf("%w: the last event is %d, but the index of the store is %d", wire.ErrMalformed, next-1, s.index)
	}
	return nil
}

// node reads a node and all nodes below it. The fields of a node come before its children.
func (r *recovery) node(parent *node, name string, depth int) *node {
	n := &node{name: name, parent: parent}
	r.count()
	if depth > maxDepth {
		r.fail("directories are nested too deep")
		return n
	}
	r.object(func(field string) {
		switch field {
		case "CreatedIndex":
			n.created = r.unsigned()
		case "ModifiedIndex":
			n.modified = r.unsigned()
			r.newest = max(r.newest, n.modified)
		case "ExpireTime":
			n.expires = r.time()
		case "Value":
			n.value = r.text()
		case "Children":
			r.children(n, depth)
		default: // the path repeats the names
			r.skip(depth)
		}
	})
	if n.created > n.modified {
		r.fail("a node was changed before it was created")
	}
	if r.err == nil && n.expires != 0 && parent != nil {
		r.store.expiries.set(n, n.expires)
	}
	return n
}

func (r *recovery) children(n *node, depth int) {
	if r.null() {
		return
	}
	n.children = map[string]*node{}
	r.object(func(name string) {
		if n.children[name] != nil || name == "" {
			r.fail("two nodes have the same name, or one has none")
			return
		}
		n.children[name] = r.node(n, name, depth+1)
	})
}

// time reads a point in time: nanoseconds since 1970, or zero for the zero time of Go.
func (r *recovery) time() int64 {
	text := r.text()
	if r.err != nil {
		return 0
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		r.fail("a point in time can't be decoded")
	}
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// hub reads the history of events. Its ring begins at Front.
func (r *recovery) hub() {
	var ring []*tree.EventFields
	var front, size uint64
	queue := func(name string) {
		switch name {
		case "Events":
			r.array(func() { ring = append(ring, r.event()) })
		case "Size":
			size = r.unsigned()
		case "Front":
			front = r.unsigned()
		default:
			r.skip(0)
		}
	}
	r.member("EventHistory", func() { r.member("Queue", func() { r.object(queue) }) })
	if r.err != nil {
		return
	}
	if size > uint64(len(ring)) || front >= max(uint64(len(ring)), 1) {
		r.fail("the history of events has fewer events than it says")
		return
	}
	for i := range size {
		e := ring[(front+i)%uint64(len(ring))]
		if e == nil {
			r.fail("the history of events has a gap")
			return
		}
		r.store.events.add(*e)
	}
}

// event reads an event, or nil for a free place of the ring.
func (r *recovery) event() *tree.EventFields {
	if r.null() {
		return nil
	}
	e := new(tree.EventFields)
	var hasNode bool
	r.object(func(name string) {
		switch name {
		case "action":
			e.Action, _ = tree.ParseAction(r.text())
		case "node":
			hasNode = true
			r.eventNode(&e.Node, &e.Time)
		case "prevNode":
			e.Prev = new(tree.NodeFields)
			r.eventNode(e.Prev, &e.Time)
		case "refresh":
			e.Refresh = r.boolean()
		default:
			r.skip(0)
		}
	})
	if e.Action == 0 || !hasNode {
		r.fail("an event without an action or a node")
	}
	return e
}

// eventNode reads the node of an event. The event keeps the TTL that was left when it happened; so the time of the event, of which
// the tree computes the TTL, is the TTL before the expiry.
func (r *recovery) eventNode(n *tree.NodeFields, at *int64) {
	var ttl int64
	r.object(func(name string) {
		switch name {
		case "key":
			n.Path = r.text()
		case "value":
			n.Value = r.text()
		case "dir":
			n.Dir = r.boolean()
		case "expiration":
			n.Expires = r.time()
		case "ttl":
			ttl = r.signed()
		case "modifiedIndex":
			n.Modified = r.unsigned()
		case "createdIndex":
			n.Created = r.unsigned()
		default:
			r.skip(0)
		}
	})
	if n.Expires != 0 {
		*at = max(*at, n.Expires-ttl*int64(time.Second))
	}
}

// statistic is the counters of one operation. Their names in a snapshot begin with name.
type statistic struct {
	name string
	*tree.Outcomes
}

// The ends of the names of counters, and the name of the one counter that is not of an operation.
const (
	successSuffix = "Success"
	failSuffix    = "Fail"
	expireCount   = "expireCount"
)

// statistics returns the counters of all operations, in the order in which etcd writes them. Those of reads are not part of the state of
// Pando.
func statistics(c *tree.Counters) []statistic {
	return []statistic{
		{"sets", &c.Set}, {"delete", &c.Delete}, {"update", &c.Update}, {"create", &c.Create},
		{"compareAndSwap", &c.CompareAndSwap}, {"compareAndDelete", &c.CompareAndDelete},
	}
}

// stats reads the counters.
func (r *recovery) stats() {
	c := &r.store.counters
	numbers := map[string]*uint64{expireCount: &c.Expired}
	for _, s := range statistics(c) {
		numbers[s.name+successSuffix], numbers[s.name+failSuffix] = &s.OK, &s.Failed
	}
	r.object(func(name string) {
		if p := numbers[name]; p != nil {
			*p = r.unsigned()
		} else {
			r.skip(0)
		}
	})
}
