package tree

import "strings"

// put stores what c makes of prev, a file or nil, and tells of it.
func (s *Store) put(c *Command, action Action, prev, n *Node) *Event {
	if prev != nil {
		s.replace(prev, n)
	} else {
		s.parentOf(n.Path()).insert(n)
		s.count(n, 1)
		s.expiries.add(n)
		s.changes.changed(n)
	}
	return s.emit(&Event{action: action, refresh: c.Refresh, node: n.plain(), prev: prev}, nil)
}

// replace stores n where prev is.
func (s *Store) replace(prev, n *Node) {
	s.parentOf(n.Path()).replace(n)
	s.count(prev, -1)
	s.count(n, 1)
	s.expiries.remove(prev)
	s.expiries.add(n)
	s.changes.changed(n)
}

// remove takes n and all below it out of the tree and tells of it.
func (s *Store) remove(action Action, n *Node) *Event {
	s.parentOf(n.Path()).remove(base(n.Path()))
	event := &Event{action: action, prev: n.plain(), node: s.removed(n)}
	if !n.IsDir() {
		s.forget(n)
		s.changes.changed(n)
		return s.emit(event, nil)
	}
	s.forgetAll(n)
	s.changes.removed(n.Path())
	return s.emit(event, n)
}

// removed is what the event that takes n away shows of it: neither value nor expiry.
func (s *Store) removed(n *Node) *Node {
	var shown *Node
	if n.IsDir() {
		shown = n.withDirectory(childless)
	} else {
		shown = newFile(n.Path(), "")
	}
	shown.created, shown.modified, shown.expires = n.created, s.index+1, 0
	return shown
}

// emit gives the event the next index, which its node bears already.
func (s *Store) emit(e *Event, removed *Node) *Event {
	s.index++
	e.time = s.now
	s.batch = append(s.batch, change{event: e, removed: removed})
	return e
}

// parentOf gives the directory that holds path, ready to be changed in place.
// Directories that are missing on the way are made; that none of them is a
// file has been checked before.
func (s *Store) parentOf(path string) *directory {
	if s.root.directory().epoch != s.epoch {
		s.root = s.own(s.root)
	}
	at := s.root
	last := strings.LastIndexByte(path, '/')
	var made string // the parent's path, shared by all directories made here
	for end := 0; end < last; {
		start := end + 1
		name, _, _ := cutName(path[start:])
		end = start + len(name)
		child := at.directory().get(name)
		switch {
		case child == nil:
			if made == "" {
				// A copy: a directory must not keep alive the value of the
				// command that happened to make it.
				made = strings.Clone(path[:last])
			}
			child = newDir(made[:end], newDirectory(made[:end], s.epoch))
			child.created, child.modified = s.index+1, s.index+1
			at.directory().insert(child)
			s.count(child, 1)
			s.changes.changed(child)
		case child.directory().epoch != s.epoch:
			child = s.own(child)
			at.directory().replace(child)
		}
		at = child
	}
	return at.directory()
}

// own clones a directory for this batch.
func (s *Store) own(n *Node) *Node {
	return n.withDirectory(n.directory().clone(s.epoch))
}

func (s *Store) count(n *Node, sign int64) {
	s.nodes += sign
	s.bytes += sign * n.bytes()
}

func (s *Store) forget(n *Node) {
	s.count(n, -1)
	s.expiries.remove(n)
}

func (s *Store) forgetAll(n *Node) {
	s.forget(n)
	if !n.IsDir() {
		return
	}
	n.directory().scan(func(child *Node) bool {
		s.forgetAll(child)
		return true
	})
}
