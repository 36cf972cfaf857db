package tree

// fileBeforeRevision returns the file of a changed key before the revision of the change, or nil if there was none. k.Prev must be a state
// of the key that an earlier change of this revision has made. For a put, the result is also nil if the revision has created the key after
// it has deleted it. fileBeforeRevision returns false if the history no longer holds an event that it needs.
func (h *history) fileBeforeRevision(k *KeyEvent) (before *Node, ok bool) {
	key, index := k.Prev.Path(), k.Prev.ModifiedIndex() // the index of a state is that of its event
	for {
		e := h.at(index)
		if e == nil {
			return nil, false
		}
		before, changed := e.fileBefore(key)
		switch {
		case changed && !e.isWhole():
			return nil, false
		case before != nil && before.ModRevision() < k.Revision():
			return before, true
		case before != nil:
			index = before.ModifiedIndex()
		case !k.Deleted || e.Revision() < k.Revision() || e.beginsRevision():
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
