package tree

// An event and the tree share the object of a file, and so do an event and the next one of the same key. What was read from a disk has an
// object for each, which would double the memory of the history. The functions of this file make them share again.

// sharePrev makes an event share the file that it has replaced or removed with the event that has written it.
func (h *history) sharePrev(e *Event) {
	if e.prev == nil || e.prev.IsDir() || e.prev.ModifiedIndex() < h.start {
		return
	}
	if writer := h.at(e.prev.ModifiedIndex()); writer != nil && sameFile(writer.node, e.prev) {
		e.prev = writer.node
	}
}

// shareFiles makes the events share their files with the tree. The store must not be in use yet. The history of v2 alone is short, and is
// left as it is.
func (s *Store) shareFiles() {
	if s.history.pages.Load() == nil {
		return
	}
	for n := range s.current().Keys(KeyRange{}) {
		if n.ModifiedIndex() < s.history.start {
			continue
		}
		if writer := s.history.at(n.ModifiedIndex()); writer != nil && sameFile(writer.node, n) {
			writer.node = n
		}
	}
}

// sameFile reports whether two nodes are files that differ in nothing.
func sameFile(a, b *Node) bool {
	return !a.IsDir() && !b.IsDir() && a.ModifiedIndex() == b.ModifiedIndex() && a.CreatedIndex() == b.CreatedIndex() &&
		a.ModRevision() == b.ModRevision() && a.CreateRevision() == b.CreateRevision() && a.storedVersion() == b.storedVersion() &&
		a.Sub() == b.Sub() && a.Expires() == b.Expires() && a.Lease() == b.Lease() && a.Path() == b.Path() && a.Value() == b.Value()
}
