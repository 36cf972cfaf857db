package tree

import "strings"

// The functions of this file change the private root of the current batch. They also
// update the totals of the directories, the dirty paths and the announcements.

// put stores n and emits the event. It replaces prev, which must be a file or nil. It
// makes missing directories above n. A set and a create make the directories above n explicit.
func (s *Store) put(c *Command, action Action, prev, n *Node) *Event {
	mode := keepParents
	if action == ActionSet || action == ActionCreate {
		mode = explicitParents
	}
	if prev != nil {
		s.replace(prev, n, mode)
	} else {
		s.ensureMutableParent(n.Path(), s.index+1, mode, make(ancestors, 0, usualDepth)).insert(n)
		s.dirty.add(n)
	}
	return s.emit(&Event{action: action, refresh: c.Refresh, node: n.withoutChildren(), prev: prev}, nil)
}

// replace replaces prev by n. If they are directories, they must have the same children.
func (s *Store) replace(prev, n *Node, mode parentMode) {
	s.ensureMutableParent(n.Path(), 0, mode, make(ancestors, 0, usualDepth)).replace(prev, n)
	s.superseded += prev.bytes()
	s.dirty.add(n)
	s.moveLease(prev, n)
}

// remove removes n and all nodes below it from the tree, and emits the event.
func (s *Store) remove(action Action, n *Node) *Event {
	event := &Event{action: action, prev: n.withoutChildren(), node: tombstone(n, s.nextNumbers(n))}
	removed := s.detach(n)
	if removed != nil && s.keepsRemoved() {
		event.prev = event.prev.withDirectory(removed.directory())
	}
	return s.emit(event, removed)
}

// detach removes n and all nodes below it from the tree, and the implied directories that become empty. It returns n if it is a directory,
// and otherwise nil: the removed directory of an announcement, without its shadowed file, which stays.
func (s *Store) detach(n *Node) (removed *Node) {
	if s.measures && n.IsDir() {
		n = s.cloneDir(n) // without the expiries, which remove would read
	}
	above := s.ensureMutableParent(n.Path(), 0, keepParents, make(ancestors, 0, usualDepth))
	s.removeNode(n, above)
	if n.IsDir() {
		s.dirty.addRemovedDir(n.Path())
		s.detachLeasesBelow(n.Path())
		removed = n.withShadowed(nil)
	} else {
		s.dirty.add(n)
		s.moveLease(n, nil)
	}
	if above.parent().children.Len() == 0 {
		s.removeImplied(parent(n.Path()))
	}
	return removed
}

// tombstone returns the node with these numbers for the event of a removal. It has no value and no expiry.
func tombstone(n *Node, c numbers) *Node {
	var shown *Node
	if n.IsDir() {
		shown = n.alone()
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

// parentMode says what a change does with the directories above the changed path.
type parentMode uint8

const (
	// keepParents changes no existing directory, and makes explicit ones.
	keepParents parentMode = iota
	// explicitParents makes implied directories explicit: v2 expects that a directory stays to which it has written.
	explicitParents
	// impliedParents makes implied directories, also in the place of files, which become their shadowed files.
	impliedParents
)

// ensureMutableParent makes all directories above path mutable for this batch, and returns
// them. They change with the next index. It makes missing directories with the index created,
// and clones those of earlier batches. Unless the mode is impliedParents, none of the nodes above path may be a file: callers must
// check this. buf is empty memory for the result.
func (s *Store) ensureMutableParent(path string, created uint64, mode parentMode, buf ancestors) ancestors {
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
		case child == nil || !child.IsDir():
			if parentPath == "" {
				// Copy the path: it shares memory with the value of the command,
				// which a directory must not keep alive.
				parentPath = strings.Clone(path[:last])
			}
			file := child
			child = newDir(parentPath[:end], newDirectory(parentPath[:end], s.epoch))
			child.setNumbers(s.newNumbers(created))
			child = s.insertDir(above, file, child, mode)
		case child.directory().epoch() != s.epoch:
			child = s.cloneDir(child)
			above.parent().children.Replace(child)
		}
		if mode == explicitParents && child.isImplied() {
			child.setImplied(false)
			s.dirty.add(child)
		}
		s.markChanged(child)
		above = append(above, child.directory())
	}
	return above
}

// insertDir adds a directory that ensureMutableParent has made, and returns it. file is the file in its place, or nil: it becomes the
// shadowed file of the directory.
func (s *Store) insertDir(above ancestors, file, dir *Node, mode parentMode) *Node {
	dir.setImplied(mode == impliedParents)
	s.dirty.add(dir)
	if file == nil {
		above.insert(dir)
		return dir
	}
	dir = dir.withShadowed(file)
	above.replace(file, dir)
	s.dirty.addKey(file)
	return dir
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
