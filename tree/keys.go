package tree

// The functions of this file change the keys of etcd's v3 API in the private root. They make no events.

// putKey stores the file n under its path, which may be any key, and returns the file that it replaces, or nil. Missing directories above
// a path become implied directories. A file above the path, and a directory at the path, stay: the file becomes or is a shadowed file.
// The caller must emit the event with the next index.
func (s *Store) putKey(n *Node) (prev *Node) {
	if !isPathKey(n.Path()) {
		return s.putPlain(n)
	}
	above := s.ensureMutableParent(n.Path(), s.index+1, impliedParents, make(ancestors, 0, usualDepth))
	at := above.parent().children.Get(base(n.Path()))
	switch {
	case at == nil:
		above.insert(n)
		s.dirty.add(n)
		return nil
	case at.IsDir():
		prev = at.Shadowed()
		above.replace(at, at.withShadowed(n))
		s.dirty.addKey(n)
	default:
		prev = at
		above.replace(at, n)
		s.dirty.add(n)
	}
	if prev != nil {
		s.superseded += prev.bytes()
	}
	return prev
}

// deleteKey removes the file of a key, and returns it. It returns nil if there is none. Implied directories that become empty are removed,
// too. The caller must emit the event with the next index.
func (s *Store) deleteKey(key string) (prev *Node) {
	if !isPathKey(key) {
		prev = s.deletePlain(key)
		s.moveLease(prev, nil)
		return prev
	}
	at := nodeAt(s.root, key)
	switch {
	case at == nil:
		return nil
	case !at.IsDir():
		s.detach(at)
		return at
	}
	if prev = at.Shadowed(); prev != nil {
		s.ensureMutableParent(key, 0, keepParents, make(ancestors, 0, usualDepth)).replace(at, at.withShadowed(nil))
		s.superseded += prev.bytes()
		s.dirty.addKey(prev)
		s.moveLease(prev, nil)
	}
	return prev
}

// removeImplied removes the directory at a path if it is implied and empty, and then the directories above it for which this is true.
func (s *Store) removeImplied(path string) {
	for ; path != "/"; path = parent(path) {
		dir := nodeAt(s.root, path)
		if !dir.isImplied() || dir.Len() > 0 {
			return
		}
		s.removeNode(dir, s.ensureMutableParent(path, 0, keepParents, make(ancestors, 0, usualDepth)))
		s.dirty.add(dir)
	}
}

// removeNode removes n, with all nodes below it, from the parent. The shadowed file of a directory becomes visible.
func (s *Store) removeNode(n *Node, above ancestors) {
	above.remove(n)
	s.superseded += n.bytes()
	if n.IsDir() {
		s.superseded += n.directory().bytes
	}
	if file := n.Shadowed(); file != nil {
		s.dirty.addKey(file)
	}
}
