package tree

import (
	"fmt"

	"pando/tree/users"
)

// Loader builds a Store from the content of a checkpoint. The caller must call State
// first. If the checkpoint has a mirror, it must call Mirror next. If it has users, it must call Users next, and UserRecord for each record
// in the order of the keys. If it has leases, it must call Lease for each of them next. It may call ShareFiles next. Then it must call Node
// for each node in the order of the paths (as byte strings), V3OnlyKey for each plain and shadowed file, Event for each event in the order
// of the indexes, and Finish.
// The Loader keeps none of the slices. Only one goroutine at a time may use it.
//
// For content that no checkpoint can have, the methods return an error that wraps
// ErrBadState. The Loader must not be used after an error.
type Loader struct {
	users     *users.Loader // nil if the checkpoint has no users
	imported  *users.State  // see ImportState
	nextEvent uint64        // the required index of the next event; zero before the first
	files     *filesByIndex // see ShareFiles; nil if it was not called
	removed   removedLoader
	treeLoader
}

// treeLoader adds nodes below a directory, the root.
type treeLoader struct {
	store *Store
	root  *Node
	// dir is the directory of the last node, and above are the directories from the root
	// to dir. They are kept because the next node is often in the same directory.
	dir   *Node
	above ancestors
}

func newTreeLoader(root *Node, s *Store) treeLoader {
	return treeLoader{store: s, root: root, dir: root, above: ancestors{root.directory()}}
}

// NewLoader returns a Loader with an empty tree, whose history will hold the last
// historySize events.
func NewLoader(historySize int) *Loader {
	s := newStore(historySize)
	return &Loader{treeLoader: newTreeLoader(s.root, s)}
}

// State decodes the bytes that View.AppendState appended.
func (l *Loader) State(data []byte) error {
	state, err := decodeState(data)
	if err != nil {
		return err
	}
	l.setIndex(state.index)
	l.store.counters, l.store.revisions = state.counters, state.revisions
	if l.store.keyHistory = state.keyHistory; state.keyHistory.from != 0 {
		l.store.history.pages.Store(&eventPages{})
	}
	return nil
}

// Mirror decodes what View.AppendMirror appended.
func (l *Loader) Mirror(data []byte) error {
	m, err := decodeMirror(data)
	if err != nil {
		return err
	}
	if m.mirror != nil && l.store.revisions.counts {
		return fmt.Errorf("%w: the state follows an etcd and counts revisions", ErrBadState)
	}
	if m.skipped.last > l.store.index {
		return fmt.Errorf("%w: indexes up to %d are skipped, but the index of the state is %d", ErrBadState, m.skipped.last, l.store.index)
	}
	l.store.mirrored = m
	if m.skipped != (indexRange{}) {
		l.store.history.skipped.Store(&m.skipped)
	}
	return nil
}

// setIndex sets the index of the state.
func (l *Loader) setIndex(index uint64) {
	l.store.index = index
	l.store.root.setUnchangedSince(index)
}

// Users decodes what users.State.AppendHead appended.
func (l *Loader) Users(head []byte) (err error) {
	if l.users, err = users.NewLoader(head); err != nil {
		return fmt.Errorf("%w: %w", ErrBadState, err)
	}
	return nil
}

// UserRecord adds a record of users.State.Difference. The records must come in the order of
// their keys.
func (l *Loader) UserRecord(key, record []byte) error {
	if l.users == nil {
		return fmt.Errorf("%w: users without a head", ErrBadState)
	}
	if err := l.users.Record(key, record); err != nil {
		return fmt.Errorf("%w: %w", ErrBadState, err)
	}
	return nil
}

// Node adds a node. data is what AppendNode appended. A directory must be added before
// its children.
func (l *Loader) Node(path string, data []byte) error {
	if path == "/" || !ValidPath(path) {
		return fmt.Errorf("%w: path %.64q", ErrBadState, path)
	}
	n, err := decodeNode(path, data)
	if err != nil {
		return err
	}
	if err := l.attach(n); err != nil {
		return err
	}
	l.files.add(n)
	return l.add(path, n)
}

// add adds a node without children.
func (l *treeLoader) add(path string, n *Node) error {
	if err := l.checkNumbers(n); err != nil {
		return err
	}
	if dir := parent(path); l.dir.Path() != dir {
		if !l.enter(dir) {
			return fmt.Errorf("%w: node %.64q has no directory", ErrBadState, path)
		}
	}
	if !l.above.parent().children.Append(n) {
		return fmt.Errorf("%w: two nodes have the path %.64q", ErrBadState, path)
	}
	l.above.addToTotals(n)
	if n.IsDir() {
		n.setUnchangedSince(l.store.index)
	}
	return nil
}

// checkNumbers returns an error if the state can't have a node with the numbers of n.
func (l *treeLoader) checkNumbers(n *Node) error {
	if n.ModifiedIndex() > l.store.newestNode() || n.CreatedIndex() > n.ModifiedIndex() || !l.hasRevisionsOf(n) {
		return fmt.Errorf("%w: node %.64q is newer than the state", ErrBadState, n.Path())
	}
	return nil
}

// hasRevisionsOf reports whether the state may have a node with the revisions of n.
func (l *treeLoader) hasRevisionsOf(n *Node) bool {
	if !l.store.revisions.counts {
		return n.storedVersion() == 0
	}
	return n.CreateRevision() <= n.ModRevision() && n.ModRevision() <= l.store.revisions.last
}

// enter sets dir to the directory at a path, and above. It returns false if there is no
// directory at the path.
func (l *treeLoader) enter(path string) bool {
	l.dir, l.above = l.root, append(l.above[:0], l.root.directory())
	root := l.root.Path()
	if path == root {
		return true
	}
	if !below(path, root) {
		return false
	}
	for rest, more := path[nameOffset(root):], true; more; {
		var name string
		name, rest, more = cutName(rest)
		child := l.above.parent().children.Get(name)
		if child == nil || !child.IsDir() {
			return false
		}
		l.dir, l.above = child, append(l.above, child.directory())
	}
	return true
}

// Event adds an event. data is what AppendEvent appended. If there are more events than
// the history can hold, the last ones are kept.
func (l *Loader) Event(data []byte) error {
	e, err := decodeEvent(data, l.findNode)
	if err != nil {
		return err
	}
	return l.addEvent(e)
}

func (l *Loader) addEvent(e *Event) error {
	if e.Index() <= firstIndex || e.Index() > l.store.index || l.store.history.next(e.Index()) != e.Index() {
		return fmt.Errorf("%w: event %d, but the index of the state is %d", ErrBadState, e.Index(), l.store.index)
	}
	if !l.hasRevisionsOf(e.node) || e.prev != nil && !l.hasRevisionsOf(e.prev) {
		return fmt.Errorf("%w: event %d has a revision that the state can't have", ErrBadState, e.Index())
	}
	if l.nextEvent != 0 && e.Index() != l.nextEvent {
		return fmt.Errorf("%w: event %d in the place of event %d", ErrBadState, e.Index(), l.nextEvent)
	}
	if l.store.history.start == 0 {
		l.store.history.start = l.store.history.previous(e.Index()-1) + 1
	}
	if l.store.keyHistory.from != 0 && e.Index() >= l.store.keyHistory.from && e.removesDir() {
		if err := l.removed.attach(e); err != nil {
			return err
		}
	}
	l.store.history.sharePrev(e)
	l.store.history.add(e)
	if !e.isWhole() {
		l.store.retention.partial = e.Index()
	}
	l.nextEvent = l.store.history.next(e.Index() + 1)
	return nil
}

// Finish returns the store. The Loader must not be used after it.
func (l *Loader) Finish() (*Store, error) {
	s := l.store
	if l.users != nil {
		loaded, err := l.users.Finish()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadState, err)
		}
		s.users = loaded
	}
	if l.imported != nil {
		s.users = l.imported
	}
	if l.nextEvent != 0 && l.nextEvent != s.index+1 {
		return nil, fmt.Errorf("%w: the last event is %d, but the index of the state is %d", ErrBadState, l.nextEvent-1, s.index)
	}
	if s.history.start == 0 {
		s.history.start = s.history.previous(s.index) + 1
	}
	if len(l.removed.tops) > 0 {
		return nil, fmt.Errorf("%w: removed nodes of %d events that do not exist", ErrBadState, len(l.removed.tops))
	}
	if l.files == nil {
		s.shareFiles()
	}
	s.finishRetention()
	s.dirty.lastEvent, s.dirty.users = s.index, s.users
	s.publish()
	s.setAnnounced()
	return s, nil
}
