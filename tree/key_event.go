package tree

import "strings"

// KeyEvent is a change of one key, as the v3 API shows it.
type KeyEvent struct {
	// Node is the file after the change. After a deletion it has only the key and the numbers: its ModRevision is the revision of the
	// deletion.
	Node *Node
	// Prev is the file before the change, or nil if there was none.
	Prev *Node
	// Deleted says that the change has deleted the key.
	Deleted bool
}

// Revision returns the revision of the change.
func (e *KeyEvent) Revision() uint64 { return e.Node.ModRevision() }

// keyEventBytes is about the size of a KeyEvent beside the keys and values.
const keyEventBytes = 64

// size returns about the size of the event in bytes.
func (e *KeyEvent) size() int {
	size := keyEventBytes + e.Node.bytes()
	if e.Prev != nil {
		size += e.Prev.bytes()
	}
	return int(size)
}

// key returns the key that an event changes. It returns false for an event that changes no key, and for the removal of a directory, which
// deletes the keys below it.
func (e *Event) key() (key string, ok bool) {
	switch {
	case !e.node.IsDir():
		return e.node.Path(), true
	case !e.action.Removes() && e.prev != nil && !e.prev.IsDir(): // a directory has replaced a file
		return e.node.Path(), true
	}
	return "", false
}

// keyEvent returns what an event changes about the key that Event.key returns.
func (e *Event) keyEvent() KeyEvent {
	k := KeyEvent{Node: e.node, Deleted: e.action.Removes()}
	if e.prev != nil && !e.prev.IsDir() {
		k.Prev = e.prev
	}
	if e.node.IsDir() {
		return e.deletion(e.prev)
	}
	return k
}

// isV3Only reports whether v2 does not show the file of a key: the key is no path, or there is a directory at the path. A change of such a
// key has an event with v3Only.
func (s *Store) isV3Only(key string) bool {
	if !isPathKey(key) {
		return true
	}
	n := nodeAt(s.root, key)
	return n != nil && n.IsDir()
}

// deletion returns the deletion of a file by an event that removes or replaces a file or a directory.
func (e *Event) deletion(file *Node) KeyEvent {
	return KeyEvent{Node: tombstone(file, e.numbers(file)), Prev: file, Deleted: true}
}

// keysBelowRange returns the range of all keys below a directory, which is not the root.
func keysBelowRange(dir string) KeyRange { return KeyRange{From: dir + "/", To: dir + "0"} } // '0' follows '/'

// overlap reports whether two ranges may have a key in common.
func overlap(a, b KeyRange) bool {
	return (a.To == "" || b.From < a.To) && (b.To == "" || a.From < b.To)
}

// removedKeys visits the files of the keys in a range that the event, the removal of a directory, has deleted, in the order of the keys.
func (e *Event) removedKeys(r KeyRange, visit func(*Node) bool) {
	below := keysBelowRange(e.prev.Path())
	if isEmptyRange(r) || !overlap(r, below) {
		return
	}
	from, _ := strings.CutPrefix(max(r.From, below.From), below.From)
	w := keyWalk{to: r.To, yield: visit}
	w.below(e.prev, from)
}

// inRange reports whether a range contains a key.
func inRange(key string, r KeyRange) bool { return key >= r.From && (r.To == "" || key < r.To) }
