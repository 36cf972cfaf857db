package tree

import "fmt"

// applyMirror executes an OpMirror. A change that fails changes nothing.
//
// The source decides: if a change can't be made to the nodes of this tree, nodes that are in its way are removed. So mistakes in earlier
// changes do not stop later ones. But an event never changes a node that is newer, or what is below it: Nodes may be ahead of the
// events that led to them.
func (s *Store) applyMirror(c *MirrorChange) *Error {
	if !s.follows() {
		return NewError(CodeNotFollowing, "the cluster does not follow an etcd")
	}
	if c.After != s.index {
		return NewError(CodeMirrorIndex, fmt.Sprintf("the change begins after index %d, but the index of the tree is %d", c.After, s.index))
	}
	if err := c.check(); err != nil {
		return NewError(CodeInvalidField, err.Error())
	}
	next, err := s.mirrored.after(c)
	if err != nil {
		return NewError(CodeInvalidField, err.Error())
	}
	for _, path := range c.Removed {
		if n, _ := find(s.root, path); n != nil {
			s.detach(n)
		}
	}
	for i := range c.Nodes {
		s.storeRead(&c.Nodes[i])
	}
	for i := range c.Events {
		s.mirrorEvent(&c.Events[i])
	}
	switch {
	case c.Reset:
		s.index = c.To
		s.batch = append(s.batch, announcement{lostUpTo: c.To})
	case c.Phase == PhaseEnded:
		if c.To > s.index {
			next.skipped = indexRange{s.index + 1, c.To}
			s.history.skipped.Store(&next.skipped)
			s.index = c.To
		}
	default:
		s.passTo(c.To)
	}
	s.mirrored = next
	s.startCounting()
	return nil
}

// passTo makes an event for each index up to the given one. Watchers never get these events: the source has told its watchers nothing
// about these indexes. Events that the history would not keep are left out.
func (s *Store) passTo(index uint64) {
	if size := s.history.size(); index-s.index > size {
		s.index = index - size
	}
	for s.index < index {
		s.emitSilent()
	}
}

// storeRead stores a node that was read from the source, unless the tree has a newer one. The modifiedIndex of a file grows with each
// change, so a lower one shows that another process has read the file before its last change. That of a directory shows this only if an
// earlier read has found a node that is newer than the index of the tree.
func (s *Store) storeRead(f *NodeFields) {
	n, _ := find(s.root, f.Path)
	switch {
	case n == nil:
		s.place(nil, s.mirroredNode(f), f.Created)
	case n.ModifiedIndex() > max(s.index, f.Modified), n.equals(f):
	case n.ModifiedIndex() > f.Modified && !n.IsDir() && !f.Dir:
	case n.IsDir() && f.Dir:
		changed := n.withDirectory(n.directory())
		changed.setNumbers(uncounted(f.Created, f.Modified))
		changed.setExpires(f.Expires)
		s.markChanged(changed)
		s.replace(n, changed, keepParents)
	default:
		s.place(n, s.mirroredNode(f), f.Created)
	}
}

// equals reports whether the node has these fields.
func (n *Node) equals(f *NodeFields) bool {
	return n.IsDir() == f.Dir && n.CreatedIndex() == f.Created && n.ModifiedIndex() == f.Modified && n.Expires() == f.Expires &&
		n.Value() == f.Value
}

// mirroredNode returns a node of the source. A directory has no children.
func (s *Store) mirroredNode(f *NodeFields) *Node {
	if !f.Dir {
		return f.node(nil)
	}
	n := f.node(newDirectory(f.Path, s.epoch))
	s.markChanged(n)
	return n
}

// place puts the node n into the tree. It replaces old, with all nodes below it, unless old is nil. It removes a file in the place of
// a directory above n, and makes missing directories with the createdIndex created.
func (s *Store) place(old, n *Node, created uint64) {
	if old != nil && !old.IsDir() {
		s.replace(old, n, keepParents)
		return
	}
	if old != nil {
		s.detach(old)
	} else {
		s.clearAbove(n.Path())
	}
	s.ensureMutableParent(n.Path(), created, keepParents, make(ancestors, 0, usualDepth)).insert(n)
	s.dirty.add(n)
}

// clearAbove removes the file that is in the place of a directory above path, if there is one.
func (s *Store) clearAbove(path string) {
	for at := parent(path); at != "/"; at = parent(at) {
		if n, _ := find(s.root, at); n != nil {
			if !n.IsDir() {
				s.detach(n)
			}
			return
		}
	}
}

// mirrorEvent makes the change of an event, and emits the event.
func (s *Store) mirrorEvent(f *EventFields) {
	s.passTo(f.Node.Modified - 1)
	n, newer := s.findNotNewer(f.Node.Path, f.Node.Modified)
	e := &Event{action: f.Action, prev: f.prevNode(n)}
	var removed *Node
	switch {
	case newer:
		e.node = f.Node.node(noChildren)
	case f.Action.Removes():
		e.node = f.Node.node(noChildren)
		if n != nil {
			removed = s.detach(n)
		}
	case f.Action == ActionUpdate && f.Node.Dir:
		e.node = f.Node.node(noChildren)
		s.updateDir(n, &f.Node)
	default:
		stored := s.mirroredNode(&f.Node)
		s.place(n, stored, f.Node.Modified)
		e.node = stored.withoutChildren()
	}
	s.counters.countEvent(f.Action)
	s.emitAt(f.Time, e, removed)
}

// findNotNewer returns the node at a path, or nil if there is none. newer reports that this node, or one above it, has a larger
// modifiedIndex than the given one. Then it was made or changed after that index.
func (s *Store) findNotNewer(path string, index uint64) (n *Node, newer bool) {
	at := s.root
	for end := 0; end < len(path); {
		start := end + 1
		name, _, _ := cutName(path[start:])
		end = start + len(name)
		if !at.IsDir() {
			return nil, newer
		}
		if at = at.directory().children.Get(name); at == nil {
			return nil, newer
		}
		newer = newer || at.ModifiedIndex() > index
	}
	return at, newer
}

// prevNode returns the node before the event. It is that of the tree, n, if they are the same, so that large values are not kept twice.
// n may be nil.
func (f *EventFields) prevNode(n *Node) *Node {
	switch {
	case f.Prev == nil:
		return nil
	case n != nil && n.ModifiedIndex() == f.Prev.Modified && n.IsDir() == f.Prev.Dir && (n.Expires() == f.Prev.Expires || !n.IsDir()):
		return n.withoutChildren()
	}
	return f.Prev.node(noChildren)
}

// updateDir makes the change of an update of a directory: a new TTL. The directory keeps its children and its modifiedIndex. n is the
// node at the path, or nil.
func (s *Store) updateDir(n *Node, f *NodeFields) {
	if n != nil && n.IsDir() {
		changed := n.withDirectory(n.directory())
		changed.setExpires(f.Expires)
		s.markChanged(changed)
		s.replace(n, changed, keepParents)
		return
	}
	made := s.mirroredNode(f)
	made.setNumbers(uncounted(f.Created, f.Created))
	s.place(n, made, f.Created)
}
