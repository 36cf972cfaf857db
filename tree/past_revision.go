package tree

// fileBefore returns the file of a key before a revision, or nil if there was none. file is a state of the key that a change with this
// revision has made; its index is that of the event. The result is also nil if file, or an earlier state with the revision, was created
// after a deletion of the key with the same revision, unless acrossDeletions is set. fileBefore returns false if the history no longer
// holds an event that it needs.
func (h *history) fileBefore(revision uint64, file *Node, acrossDeletions bool) (before *Node, ok bool) {
	key, index := file.Path(), file.ModifiedIndex()
	for {
		e := h.at(index)
		if e == nil {
			return nil, false
		}
		before, changed := e.fileBefore(key)
		switch {
		case changed && !e.isWhole():
			return nil, false
		case before != nil && before.ModRevision() < revision:
			return before, true
		case before != nil:
			index = before.ModifiedIndex()
		case !acrossDeletions || e.Revision() < revision || e.beginsRevision():
			return nil, true
		default:
			index = h.previous(index - 1)
		}
	}
}

// fileBefore returns the file of a key before an event, or nil if there was none. changed is false if the event does not concern the key.
func (e *Event) fileBefore(key string) (file *Node, changed bool) {
	if e.removesDir() {
		if !below(key, e.node.Path()) {
			return nil, false
		}
		return removedKey(e.prev, key), true
	}
	if changes, ok := e.key(); !ok || changes != key {
		return nil, false
	}
	return e.keyEvent().Prev, true
}

// removedKey returns the file of a key below a removed directory, or nil.
func removedKey(dir *Node, key string) *Node {
	n := nodeAt(dir, key[len(dir.Path()):])
	if n != nil && n.IsDir() {
		return n.Shadowed()
	}
	return n
}
