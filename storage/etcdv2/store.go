package etcdv2

import (
	"fmt"
	"path"
	"time"

	"pando/tree"
)

// store is a model of the v2 store of etcd, with all namespaces. Its methods change it as etcd does: each successful change takes
// the next index and adds one event. A method whose change is refused returns false and changes nothing.
type store struct {
	root     *node
	index    uint64
	expiries expiries
	events   events
	counters tree.Counters
	// now is the time of the entry that is being applied, or zero if the log does not tell it. Only the TTLs that events show
	// depend on it.
	now int64
	// dirTTLs says that the TTL of a directory can be updated. etcd 3.5 refuses it.
	dirTTLs bool
}

// The namespaces.
const (
	clusterSpace = "/0"
	keySpace     = "/1"
	userSpace    = "/2"
)

// oldestExpiry is the first time that a new node may expire at. Nodes with an older one are permanent.
var oldestExpiry = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()

// newStore returns the store of a new member that keeps the last historySize events.
func newStore(historySize int) *store {
	s := &store{root: &node{children: map[string]*node{}}, events: newEvents(historySize), dirTTLs: true}
	for _, name := range []string{clusterSpace[1:], keySpace[1:]} {
		s.root.children[name] = &node{name: name, children: map[string]*node{}, parent: s.root}
	}
	return s
}

// change is what a change does to one node.
type change struct {
	path    string
	value   string
	dir     bool
	expires int64
	refresh bool // keep the value, and tell no watcher
}

func clean(p string) string { return path.Clean("/" + p) }

func isReadOnly(path string) bool { return path == "/" || path == clusterSpace || path == keySpace }

func (s *store) set(c change) (ok bool) {
	defer countInto(&s.counters.Set, &ok)
	at := clean(c.path)
	old, blocked := s.find(at)
	if blocked || c.refresh && old == nil {
		return false
	}
	if c.refresh {
		c.value = old.value
	}
	return s.put(at, c, tree.ActionSet)
}

func (s *store) create(c change) (ok bool) {
	defer countInto(&s.counters.Create, &ok)
	return s.put(clean(c.path), c, tree.ActionCreate)
}

// createInOrder creates a node whose name is its index.
func (s *store) createInOrder(c change) (ok bool) {
	c.path += fmt.Sprintf("/%020d", s.index+1)
	return s.create(c)
}

// put makes a node at a clean path. tree.ActionSet replaces a file there, tree.ActionCreate does not, and ignores c.refresh.
func (s *store) put(at string, c change, action tree.Action) bool {
	replace := action == tree.ActionSet
	if isReadOnly(at) {
		return false
	}
	if c.expires < oldestExpiry {
		c.expires = 0
	}
	parentPath, name := path.Split(at)
	parent := s.makeDirs(path.Clean(parentPath))
	if parent == nil {
		return false
	}
	var prev *tree.NodeFields
	if old := parent.children[name]; old != nil {
		if !replace || old.isDir() {
			return false
		}
		fields := old.fields()
		prev = &fields
		s.unlink(old)
	}
	n := &node{name: name, created: s.index + 1, modified: s.index + 1, parent: parent}
	if c.dir {
		n.children = map[string]*node{}
	} else {
		n.value = c.value
	}
	parent.children[name] = n
	s.expiries.set(n, c.expires)
	s.emit(tree.EventFields{Action: action, Refresh: c.refresh && replace, Node: n.fields(), Prev: prev})
	return true
}

// update changes the value and the TTL of a file, or the TTL of a directory.
func (s *store) update(c change) (ok bool) {
	defer countInto(&s.counters.Update, &ok)
	at := clean(c.path)
	if isReadOnly(at) {
		return false
	}
	n, _ := s.find(at)
	if n == nil || n.isDir() && (c.value != "" || !s.dirTTLs) {
		return false
	}
	if !n.isDir() {
		s.write(n, c, tree.ActionUpdate)
		return true
	}
	prev := n.fields()
	s.expiries.set(n, c.expires)
	shown := n.fields() // the directory keeps its modifiedIndex
	shown.Modified = s.index + 1
	s.emit(tree.EventFields{Action: tree.ActionUpdate, Refresh: c.refresh, Node: shown, Prev: &prev})
	return true
}

func (s *store) compareAndSwap(c change, prevValue string, prevIndex uint64) (ok bool) {
	defer countInto(&s.counters.CompareAndSwap, &ok)
	at := clean(c.path)
	if isReadOnly(at) {
		return false
	}
	n := s.match(at, prevValue, prevIndex)
	if n == nil {
		return false
	}
	s.write(n, c, tree.ActionCompareAndSwap)
	return true
}

// write changes a file.
func (s *store) write(n *node, c change, action tree.Action) {
	prev := n.fields()
	if !c.refresh {
		n.value = c.value
	}
	n.modified = s.index + 1
	s.expiries.set(n, c.expires)
	s.emit(tree.EventFields{Action: action, Refresh: c.refresh, Node: n.fields(), Prev: &prev})
}

// match returns the file at a clean path if it has the value and the index. An empty value and a zero index are not compared.
func (s *store) match(at, prevValue string, prevIndex uint64) *node {
	n, _ := s.find(at)
	if n == nil || n.isDir() || prevValue != "" && n.value != prevValue || prevIndex != 0 && n.modified != prevIndex {
		return nil
	}
	return n
}

// removable says what a delete may remove beside a file.
type removable int

const (
	onlyFile removable = iota
	emptyDir
	wholeDir
)

func (s *store) delete(p string, beside removable) (ok bool) {
	defer countInto(&s.counters.Delete, &ok)
	at := clean(p)
	if isReadOnly(at) {
		return false
	}
	n, _ := s.find(at)
	if n == nil || n.isDir() && (beside == onlyFile || beside == emptyDir && len(n.children) > 0) {
		return false
	}
	s.remove(n, tree.ActionDelete)
	return true
}

func (s *store) compareAndDelete(p, prevValue string, prevIndex uint64) (ok bool) {
	defer countInto(&s.counters.CompareAndDelete, &ok)
	n := s.match(clean(p), prevValue, prevIndex)
	if n == nil {
		return false
	}
	s.remove(n, tree.ActionCompareAndDelete)
	return true
}

// expire removes all nodes whose TTL has ended at a time.
func (s *store) expire(now int64) {
	for len(s.expiries) > 0 && s.expiries[0].expires <= now {
		s.remove(s.expiries[0], tree.ActionExpire)
		s.counters.Expired++
	}
}

// remove removes a node, which must not be the root.
func (s *store) remove(n *node, action tree.Action) {
	prev := n.fields()
	s.unlink(n)
	shown := tree.NodeFields{Path: prev.Path, Dir: prev.Dir, Created: prev.Created, Modified: s.index + 1}
	s.emit(tree.EventFields{Action: action, Node: shown, Prev: &prev})
}

// emit takes the next index and adds the event, whose time it sets.
func (s *store) emit(e tree.EventFields) {
	s.index++
	e.Time = s.now
	if e.Time == 0 { // show no TTL
		e.Time = e.Node.Expires
		if e.Prev != nil {
			e.Time = max(e.Time, e.Prev.Expires)
		}
	}
	s.events.add(e)
}

// countInto counts the outcome of an operation.
func countInto(o *tree.Outcomes, ok *bool) {
	if *ok {
		o.OK++
	} else {
		o.Failed++
	}
}
