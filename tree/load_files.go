package tree

// A loader that knows the size of a history before it loads the nodes does not have to decode the files of events that are still in the
// tree: it finds them by their indexes. This takes half of the time and of the memory of decoding each file twice.

// nodeFinder returns the loaded file that the event with an index has written, or nil.
type nodeFinder func(index uint64) *Node

// noNodes is the nodeFinder that finds none.
func noNodes(uint64) *Node { return nil }

// filesByIndex holds the files of the tree that the events of a history may have written.
type filesByIndex struct {
	history *history
	first   uint64 // the place of the first event; see history.place
	files   []*Node
}

// ShareFiles makes the events share their files with the tree while both are loaded. The history must have count events, of which the first
// one has the index first. For other numbers, and for a history without the changes of v3, ShareFiles does nothing.
func (l *Loader) ShareFiles(first, count uint64) {
	h, newest := l.store.history, l.store.index
	if h.pages.Load() == nil || first <= firstIndex || first > newest || h.next(first) != first {
		return
	}
	if place := h.place(first); count == h.place(h.previous(newest))-place+1 {
		l.files = &filesByIndex{history: h, first: place, files: make([]*Node, count)}
	}
}

// add adds a node of the tree. It does nothing for a directory, for a file that is older than the history, and if f is nil.
func (f *filesByIndex) add(n *Node) {
	if f == nil || n.IsDir() {
		return
	}
	if i := f.history.place(n.ModifiedIndex()) - f.first; i < uint64(len(f.files)) {
		f.files[i] = n
	}
}

// findNode is the nodeFinder of the loader. Callers must compare the file: it may be another one.
func (l *Loader) findNode(index uint64) *Node {
	if l.files == nil {
		return nil
	}
	if i := l.files.history.place(index) - l.files.first; i < uint64(len(l.files.files)) && l.files.files[i] != nil {
		return l.files.files[i]
	}
	return l.store.history.nodeAt(index)
}

// isFile reports whether a node is the stored file at a path: a file that is equal in all fields.
func (s *storedNode) isFile(n *Node, path []byte) bool {
	return !s.isDir && !n.IsDir() && n.ModifiedIndex() == s.modified && n.CreatedIndex() == s.created &&
		n.ModRevision() == s.modRevision && n.CreateRevision() == s.createRevision && n.storedVersion() == s.version &&
		n.Sub() == s.sub && n.Expires() == s.expires && n.Lease() == s.lease && n.Path() == string(path) && n.Value() == string(s.value)
}
