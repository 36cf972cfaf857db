package tree

import "fmt"

// Loader builds a Store from what a checkpoint holds: first the state, then
// the nodes in ascending order of their paths' bytes, then the events in the
// order of their indexes. It keeps none of the slices that it is given. One
// goroutine may use it.
type Loader struct {
	store *Store
	next  uint64
	// The directory that took the last node, and those above it: the next one is
	// often a sibling.
	last *Node
	way  lineage
}

// NewLoader starts an empty tree that will remember the last historySize
// events.
func NewLoader(historySize int) *Loader {
	s := newStore(historySize)
	return &Loader{store: s, last: s.root, way: lineage{s.root.directory()}}
}

// State takes what View.AppendState wrote.
func (l *Loader) State(data []byte) error {
	index, counters, err := decodeState(data)
	if err != nil {
		return err
	}
	l.store.index, l.store.counters = index, counters
	return nil
}

// Node takes one stored node. A directory comes before what is below it.
func (l *Loader) Node(path string, data []byte) error {
	if path == "/" || !ValidPath(path) {
		return fmt.Errorf("%w: path %.64q", ErrBadState, path)
	}
	n, err := decodeNode(path, data)
	if err != nil {
		return err
	}
	if n.modified > l.store.index || n.CreatedIndex() > n.modified {
		return fmt.Errorf("%w: node %.64q is newer than the state", ErrBadState, path)
	}
	if dir := parent(path); l.last.Path() != dir {
		if !l.enter(dir) {
			return fmt.Errorf("%w: node %.64q has no directory", ErrBadState, path)
		}
	}
	if !l.way.parent().children.Append(n) {
		return fmt.Errorf("%w: node %.64q is there twice", ErrBadState, path)
	}
	l.way.inserted(n)
	return nil
}

// enter goes to the directory that takes the next nodes, if it is one.
func (l *Loader) enter(dir string) bool {
	l.last, l.way = l.store.root, append(l.way[:0], l.store.root.directory())
	for end := 0; end < len(dir) && dir != "/"; {
		start := end + 1
		name, _, _ := cutName(dir[start:])
		end = start + len(name)
		child := l.way.parent().children.Get(name)
		if child == nil || !child.IsDir() {
			return false
		}
		l.last, l.way = child, append(l.way, child.directory())
	}
	return true
}

// Event takes one stored event. Of more events than the history holds, the
// last ones stay.
func (l *Loader) Event(data []byte) error {
	e, err := decodeEvent(data)
	if err != nil {
		return err
	}
	if e.Index() <= firstIndex || e.Index() > l.store.index {
		return fmt.Errorf("%w: event %d, the index is %d", ErrBadState, e.Index(), l.store.index)
	}
	if l.next != 0 && e.Index() != l.next {
		return fmt.Errorf("%w: event %d where %d was expected", ErrBadState, e.Index(), l.next)
	}
	if l.store.history.start == 0 {
		l.store.history.start = e.Index()
	}
	l.store.history.add(e)
	l.next = e.Index() + 1
	return nil
}

// Finish gives the tree. The Loader must not be used after it.
func (l *Loader) Finish() (*Store, error) {
	s := l.store
	if l.next != 0 && l.next != s.index+1 {
		return nil, fmt.Errorf("%w: the last event is %d, the index %d", ErrBadState, l.next-1, s.index)
	}
	if s.history.start == 0 {
		s.history.start = s.index + 1
	}
	s.changes.since = s.index
	s.publish()
	return s, nil
}
