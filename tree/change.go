package tree

import "strings"

// put stores what c makes of prev, a file or nil, and tells of it.
func (s *Store) put(c *Command, action Action, prev, n *Node) *Event {
	if prev != nil {
		s.replace(prev, n)
	} else {
		s.parentOf(n.path).insert(n)
		s.count(n, 1)
		s.expiries.add(n)
		s.changes.changed(n)
	}
	return s.emit(&Event{action: action, refresh: c.Refresh, node: n.plain(), prev: prev}, nil)
}

// replace stores n where prev is.
func (s *Store) replace(prev, n *Node) {
	s.parentOf(n.path).replace(n)
	s.count(prev, -1)
	s.count(n, 1)
	s.expiries.remove(prev)
	s.expiries.add(n)
	s.changes.changed(n)
}

// remove takes n and all below it out of the tree and tells of it.
func (s *Store) remove(action Action, n *Node) *Event {
	s.parentOf(n.path).remove(base(n.path))
	event := &Event{action: action, prev: n.plain()}
	event.node = &Node{path: n.path, created: n.created, modified: s.index + 1}
	if !n.IsDir() {
		s.forget(n)
		s.changes.changed(n)
		return s.emit(event, nil)
	}
	event.node.dir = childless
	s.forgetAll(n)
	s.changes.removed(n.path)
	return s.emit(event, n)
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
	if s.root.dir.epoch != s.epoch {
		s.root = s.own(s.root)
	}
	at := s.root
	last := strings.LastIndexByte(path, '/')
	var made string // the parent's path, shared by all directories made here
	for end := 0; end < last; {
		start := end + 1
		name, _, _ := cutName(path[start:])
		end = start + len(name)
		child := at.dir.get(name)
		switch {
		case child == nil:
			if made == "" {
				// A copy: a directory must not keep alive the value of the
				// command that happened to make it.
				made = strings.Clone(path[:last])
			}
			child = &Node{path: made[:end], created: created(s.index + 1), modified: s.index + 1, dir: newDirectory(made[:end], s.epoch)}
			at.dir.insert(child)
			s.count(child, 1)
			s.changes.changed(child)
		case child.dir.epoch != s.epoch:
			child = s.own(child)
			at.dir.replace(child)
		}
		at = child
	}
	return at.dir
}

// own clones a directory for this batch.
func (s *Store) own(n *Node) *Node {
	c := *n
	c.dir = n.dir.clone(s.epoch)
	return &c
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
	if n.dir == nil {
		return
	}
	n.dir.scan(func(child *Node) bool {
		s.forgetAll(child)
		return true
	})
}
