package tree

import "fmt"

// Loader builds a Store from the content of a checkpoint. The caller must hand over
// the state first, then the nodes in ascending order of the bytes of their paths, then
// the events in the order of their indexes, and call Finish. The Loader keeps none of
// the slices that it is given. One goroutine at a time may use it.
//
// All methods return an error that wraps ErrBadState for content that no checkpoint
// can have. The Loader must not be used after an error.
type Loader struct {
	store     *Store
	nextEvent uint64 // the index that the next event must have; zero before the first
	// The directory of the last node and its ancestors, itself included. The next node
	// is often in the same one.
	dir   *Node
	above ancestors
}

// NewLoader starts with an empty tree whose history holds the last historySize events.
func NewLoader(historySize int) *Loader {
	s := newStore(historySize)
	return &Loader{store: s, dir: s.root, above: ancestors{s.root.directory()}}
}

// State takes the bytes that View.AppendState appended.
func (l *Loader) State(data []byte) error {
	index, counters, err := decodeState(data)
	if err != nil {
		return err
	}
	l.store.index, l.store.counters = index, counters
	return nil
}

// Node takes one node, as AppendNode stored it. A directory must come before the nodes
// in it.
func (l *Loader) Node(path string, data []byte) error {
	if path == "/" || !ValidPath(path) {
		return fmt.Errorf("%w: path %.64q", ErrBadState, path)
	}
	n, err := decodeNode(path, data)
	if err != nil {
		return err
	}
	if n.modified > l.store.index || n.created > n.modified {
		return fmt.Errorf("%w: node %.64q is newer than the state", ErrBadState, path)
	}
	if dir := parent(path); l.dir.Path() != dir {
		if !l.enter(dir) {
			return fmt.Errorf("%w: node %.64q has no directory", ErrBadState, path)
		}
	}
	if !l.above.parent().children.Append(n) {
		return fmt.Errorf("%w: node %.64q is there twice", ErrBadState, path)
	}
	l.above.addToTotals(n)
	return nil
}

// enter makes the directory at a path the one that takes the next nodes. It returns
// false if there is no directory at the path.
func (l *Loader) enter(path string) bool {
	l.dir, l.above = l.store.root, append(l.above[:0], l.store.root.directory())
	for end := 0; end < len(path) && path != "/"; {
		start := end + 1
		name, _, _ := cutName(path[start:])
		end = start + len(name)
		child := l.above.parent().children.Get(name)
		if child == nil || !child.IsDir() {
			return false
		}
		l.dir, l.above = child, append(l.above, child.directory())
	}
	return true
}

// Event takes one event, as AppendEvent stored it. If there are more events than the
// history holds, it keeps the last ones.
func (l *Loader) Event(data []byte) error {
	e, err := decodeEvent(data)
	if err != nil {
		return err
	}
	if e.Index() <= firstIndex || e.Index() > l.store.index {
		return fmt.Errorf("%w: event %d, but the index of the state is %d", ErrBadState, e.Index(), l.store.index)
	}
	if l.nextEvent != 0 && e.Index() != l.nextEvent {
		return fmt.Errorf("%w: event %d, but %d was expected", ErrBadState, e.Index(), l.nextEvent)
	}
	if l.store.history.start == 0 {
		l.store.history.start = e.Index()
	}
	l.store.history.add(e)
	l.nextEvent = e.Index() + 1
	return nil
}

// Finish returns the tree. The Loader must not be used any more.
func (l *Loader) Finish() (*Store, error) {
	s := l.store
	if l.nextEvent != 0 && l.nextEvent != s.index+1 {
		return nil, fmt.Errorf("%w: the last event is %d, but the index of the state is %d", ErrBadState, l.nextEvent-1, s.index)
	}
	if s.history.start == 0 {
		s.history.start = s.index + 1
	}
	s.dirty.lastEvent = s.index
	s.publish()
	return s, nil
}
