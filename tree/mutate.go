package tree

import "strings"

// The functions of this file change the private root of the current batch. They also
// update the totals of the directories, the dirty paths and the announcements.

// put stores n and emits the event. It replaces prev, which must be a file or nil. It
// makes missing directories above n.
func (s *Store) put(c *Command, action Action, prev, n *Node) *Event {
	if prev != nil {
		s.replace(prev, n)
	} else {
		s.ensureMutableParent(n.Path(), s.index+1, make(ancestors, 0, usualDepth)).insert(n)
		s.dirty.add(n)
	}
	return s.emit(&Event{action: action, refresh: c.Refresh, node: n.withoutChildren(), prev: prev}, nil)
}

// replace replaces prev by n. If they are directories, they must have the same children.
func (s *Store) replace(prev, n *Node) {
	s.ensureMutableParent(n.Path(), 0, make(ancestors, 0, usualDepth)).replace(prev, n)
	s.superseded += prev.bytes()
	s.dirty.add(n)
}

// remove removes n and all nodes below it from the tree, and emits the event.
func (s *Store) remove(action Action, n *Node) *Event {
	event := &Event{action: action, prev: n.withoutChildren(), node: tombstone(n, s.nextNumbers(n))}
	removed := s.detach(n)
	if removed != nil && s.keepsRemoved() {
		event.prev = removed
	}
	return s.emit(event, removed)
}

// detach removes n and all nodes below it from the tree. It returns n if it is a directory, and otherwise nil: the removed directory of
// an announcement.
func (s *Store) detach(n *Node) (removed *Node) {
	if s.measures && n.IsDir() {
		n = s.cloneDir(n) // without the expiries, which remove would read
	}
	s.ensureMutableParent(n.Path(), 0, make(ancestors, 0, usualDepth)).remove(n)
	s.superseded += n.bytes()
	if !n.IsDir() {
		s.dirty.add(n)
		return nil
	}
	s.superseded += n.directory().bytes
	s.dirty.addRemovedDir(n.Path())
	return n
}

// tombstone returns the node with these numbers for the event of a removal. It has no value and no expiry.
func tombstone(n *Node, c numbers) *Node {
	var shown *Node
	if n.IsDir() {
		shown = n.withDirectory(noChildren)
		shown.setExpires(0)
	} else {
		shown = newFile(n.Path(), "", 0, 0)
	}
	shown.setNumbers(c)
	return shown
}

// emit increments the index and the revision of the tree, and appends the event to the batch. The node of
// the event must already have the new numbers: see Store.newNumbers and Store.nextNumbers. removed is the directory that the event
// removes, or nil.
func (s *Store) emit(e *Event, removed *Node) *Event {
	return s.emitAt(s.now, e, removed)
}

// emitAt is emit for an event of another time than that of the batch.
func (s *Store) emitAt(time int64, e *Event, removed *Node) *Event {
	s.countRevision()
	return s.appendEvent(time, e, removed)
}

// emitSilent increments the index of the tree, but not its revision, and appends an event of ActionAuth to the batch.
func (s *Store) emitSilent() *Event {
	node := newDir("/", noChildren)
	node.setNumbers(s.silentNumbers())
	return s.appendEvent(s.now, &Event{action: ActionAuth, node: node}, nil)
}

// appendEvent increments the index of the tree, and appends the event to the batch.
func (s *Store) appendEvent(time int64, e *Event, removed *Node) *Event {
	s.index++
	e.time = time
	s.batch = append(s.batch, announcement{event: e, removed: removed})
	return e
}

// ensureMutableParent makes all directories above path mutable for this batch, and returns
// them. They change with the next index. It makes missing directories with the index created,
// and clones those of earlier batches. None of the nodes above path may be a file: callers must
// check this. buf is empty memory for the result.
func (s *Store) ensureMutableParent(path string, created uint64, buf ancestors) ancestors {
	if s.root.directory().epoch() != s.epoch {
		s.root = s.cloneDir(s.root)
	}
	s.markChanged(s.root)
	above := append(buf, s.root.directory())
	last := strings.LastIndexByte(path, '/')
	var parentPath string // shared by all directories that are made here
	for end := 0; end < last; {
		start := end + 1
		name, _, _ := cutName(path[start:])
		end = start + len(name)
		child := above.parent().children.Get(name)
		switch {
		case child == nil:
			if parentPath == "" {
				// Copy the path: it shares memory with the value of the command,
				// which a directory must not keep alive.
				parentPath = strings.Clone(path[:last])
			}
			child = newDir(parentPath[:end], newDirectory(parentPath[:end], s.epoch))
			child.setNumbers(s.newNumbers(created))
			above.insert(child)
			s.dirty.add(child)
		case child.directory().epoch() != s.epoch:
			child = s.cloneDir(child)
			above.parent().children.Replace(child)
		}
		s.markChanged(child)
		above = append(above, child.directory())
	}
	return above
}

// markChanged records that a directory changes with the next index. The directory must be mutable for this batch. If several changes
// have the same index, because they make no event, each is recorded as if it had an index of its own.
func (s *Store) markChanged(dir *Node) { dir.setUnchangedSince(max(s.index, dir.UnchangedSince()) + 1) }

// cloneDir returns a copy of a directory that this batch may change.
func (s *Store) cloneDir(n *Node) *Node {
	d := n.directory().clone(s.epoch)
	switch {
	case s.measures:
		d.due = nil // only the applying goroutine may read the original
	case s.inTxn && d.due != nil:
		d.due = d.due.Copy() // the original is needed if the transaction fails
	}
	return n.withDirectory(d)
}
