package tree

import "strings"

// The functions of this file change the private root of the current batch. Each
// keeps the totals of the directories, the dirty paths and the announcements true.

// put stores n, in the place of prev if that is not nil, and emits the event. prev
// must be a file. Missing directories above n are made.
func (s *Store) put(c *Command, action Action, prev, n *Node) *Event {
	if prev != nil {
		s.replace(prev, n)
	} else {
		s.ensureMutableParent(n.Path(), make(ancestors, 0, usualDepth)).insert(n)
		s.dirty.add(n)
	}
	return s.emit(&Event{action: action, refresh: c.Refresh, node: n.withoutChildren(), prev: prev}, nil)
}

// replace stores n in the place of prev. If they are directories, they must have the
// same children.
func (s *Store) replace(prev, n *Node) {
	s.ensureMutableParent(n.Path(), make(ancestors, 0, usualDepth)).replace(prev, n)
	s.dirty.add(n)
}

// remove takes n and all nodes below it out of the tree and emits the event.
func (s *Store) remove(action Action, n *Node) *Event {
	s.ensureMutableParent(n.Path(), make(ancestors, 0, usualDepth)).remove(n)
	event := &Event{action: action, prev: n.withoutChildren(), node: s.tombstone(n)}
	if !n.IsDir() {
		s.dirty.add(n)
		return s.emit(event, nil)
	}
	s.dirty.addRemovedDir(n.Path())
	return s.emit(event, n)
}

// tombstone is the node that the event of a removal shows: it has neither value nor
// expiry.
func (s *Store) tombstone(n *Node) *Node {
	var shown *Node
	if n.IsDir() {
		shown = n.withDirectory(noChildren)
	} else {
		shown = newFile(n.Path(), "")
	}
	shown.created, shown.modified, shown.expires = n.created, s.index+1, 0
	return shown
}

// emit gives the event the next index, which its node must have already. removed is
// the directory that the event removes, or nil.
func (s *Store) emit(e *Event, removed *Node) *Event {
	s.index++
	e.time = s.now
	s.batch = append(s.batch, announcement{event: e, removed: removed})
	return e
}

// ensureMutableParent returns the directories above path after it has made each of
// them mutable for this batch: a missing directory is made, one of an earlier batch
// is cloned. The caller must have checked that none of them is a file. The result
// uses the memory of buf.
func (s *Store) ensureMutableParent(path string, buf ancestors) ancestors {
	if s.root.directory().epoch() != s.epoch {
		s.root = s.cloneDir(s.root)
	}
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
				// A copy: a directory must not keep alive the value of the command
				// whose path it has.
				parentPath = strings.Clone(path[:last])
			}
			child = newDir(parentPath[:end], newDirectory(parentPath[:end], s.epoch))
			child.created, child.modified = s.index+1, s.index+1
			above.insert(child)
			s.dirty.add(child)
		case child.directory().epoch() != s.epoch:
			child = s.cloneDir(child)
			above.parent().children.Replace(child)
		}
		above = append(above, child.directory())
	}
	return above
}

// cloneDir gives a directory that this batch may change.
func (s *Store) cloneDir(n *Node) *Node {
	return n.withDirectory(n.directory().clone(s.epoch))
}
