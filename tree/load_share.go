package tree

// In a running store an event and the tree share the object of a file, and so do two successive events of one key. After loading a
// checkpoint each has an object of its own, which would double the memory of the history. The functions of this file restore the sharing.

// sharePrev makes an event share the file that it has replaced or removed with the event that has written it.
func (h *history) sharePrev(e *Event) {
	if e.prev == nil || e.prev.IsDir() || e.prev.ModifiedIndex() < h.start {
		return
	}
	if written := h.nodeAt(e.prev.ModifiedIndex()); written != nil && sameFile(written, e.prev) {
		e.prev = written
	}
}

// shareFiles makes the events share their files with the tree. No other goroutine may use the store yet. The history of a store
// without v3 is short, and stays as it is.
func (s *Store) shareFiles() {
	if s.history.pages.Load() == nil {
		return
	}
	for n := range s.current().Keys(KeyRange{}) {
		if n.ModifiedIndex() < s.history.start {
			continue
		}
		if written := s.history.nodeAt(n.ModifiedIndex()); written != nil && sameFile(written, n) {
			s.history.replaceNode(n.ModifiedIndex(), n)
		}
	}
}

// sameFile reports whether two nodes are files and equal in all fields.
func sameFile(a, b *Node) bool {
	return !a.IsDir() && !b.IsDir() && a.ModifiedIndex() == b.ModifiedIndex() && a.CreatedIndex() == b.CreatedIndex() &&
		a.ModRevision() == b.ModRevision() && a.CreateRevision() == b.CreateRevision() && a.storedVersion() == b.storedVersion() &&
		a.Sub() == b.Sub() && a.Expires() == b.Expires() && a.Lease() == b.Lease() && a.Path() == b.Path() && a.Value() == b.Value()
}
