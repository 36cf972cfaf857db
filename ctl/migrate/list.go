package migrate

import (
	"maps"
	"slices"
	"strings"

	"pando/tree"
)

// list are the nodes of the target that have a TTL, and its hidden nodes. It may also have nodes that were removed. It is not safe for
// concurrent use.
type list struct {
	expiring map[string]nodeState
	hidden   map[string]bool
}

// nodeState is what a refreshed TTL changes in a node.
type nodeState struct {
	expires  int64 // nanoseconds since 1970; zero for a permanent node
	modified uint64
	dir      bool
}

func newList(nodes []tree.NodeFields) *list {
	l := &list{expiring: map[string]nodeState{}, hidden: map[string]bool{}}
	for i := range nodes {
		n := &nodes[i]
		l.set(n.Path, nodeState{n.Expires, n.Modified, n.Dir})
		if isHidden(n.Path) {
			l.hidden[n.Path] = true
		}
	}
	return l
}

// add notes the changes of events.
func (l *list) add(events []tree.EventFields) {
	for i := range events {
		e := &events[i]
		if e.Action.Removes() {
			delete(l.expiring, e.Node.Path) // those below it are left out when they are read again
			delete(l.hidden, e.Node.Path)
			continue
		}
		l.addHidden(e.Node.Path)
		l.set(e.Node.Path, stateOf(e))
	}
}

// stateOf returns the state of a node after an event. The update of a directory does not change its modifiedIndex.
func stateOf(e *tree.EventFields) nodeState {
	s := nodeState{e.Node.Expires, e.Node.Modified, e.Node.Dir}
	if e.Action == tree.ActionUpdate && e.Node.Dir && e.Prev != nil {
		s.modified = e.Prev.Modified
	}
	return s
}

// set notes the state of a node.
func (l *list) set(path string, s nodeState) {
	if s.expires == 0 {
		delete(l.expiring, path)
	} else {
		l.expiring[path] = s
	}
}

// addHidden adds the hidden nodes at and above a path.
func (l *list) addHidden(path string) {
	for ; path != "/"; path = parentOf(path) {
		if isHidden(path) {
			l.hidden[path] = true
		}
	}
}

// hiddenPaths returns the paths of the hidden nodes.
func (l *list) hiddenPaths() []string { return slices.Sorted(maps.Keys(l.hidden)) }

// isHidden reports whether the node at a path is left out of the list of its directory.
func isHidden(path string) bool {
	return strings.HasPrefix(path[strings.LastIndexByte(path, '/')+1:], "_")
}

// parentOf returns the directory of a path.
func parentOf(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}
