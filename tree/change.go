package tree

import "strings"

// put stores what c makes of prev, a file or nil, and tells of it.
func (s *Store) put(c *Command, action Action, prev, n *Node) *Event {
	if prev != nil {
		s.replace(prev, n)
	} else {
		s.lineage(n.Path(), make(lineage, 0, usualDepth)).insert(n)
		s.changes.changed(n)
	}
	return s.emit(&Event{action: action, refresh: c.Refresh, node: n.plain(), prev: prev}, nil)
}

// replace stores n where prev is.
func (s *Store) replace(prev, n *Node) {
	s.lineage(n.Path(), make(lineage, 0, usualDepth)).replace(prev, n)
	s.changes.changed(n)
}

// remove takes n and all below it out of the tree and tells of it.
func (s *Store) remove(action Action, n *Node) *Event {
	s.lineage(n.Path(), make(lineage, 0, usualDepth)).remove(n)
	event := &Event{action: action, prev: n.plain(), node: s.removed(n)}
	if !n.IsDir() {
		s.changes.changed(n)
		return s.emit(event, nil)
	}
	s.changes.removed(n.Path())
	return s.emit(event, n)
}

// removed is what the event that takes n away shows of it: neither value nor expiry.
func (s *Store) removed(n *Node) *Node {
	var shown *Node
	if n.IsDir() {
		shown = n.withDirectory(noChildren)
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

// lineage gives the directories above path, ready to be changed in place; it needs
// way's room. Directories that are missing on the way are made; that none of them
// is a file has been checked before.
func (s *Store) lineage(path string, way lineage) lineage {
	if s.root.directory().epoch() != s.epoch {
		s.root = s.own(s.root)
	}
	way = append(way, s.root.directory())
	last := strings.LastIndexByte(path, '/')
	var made string // the parent's path, shared by all directories made here
	for end := 0; end < last; {
		start := end + 1
		name, _, _ := cutName(path[start:])
		end = start + len(name)
		child := way.parent().children.Get(name)
		switch {
		case child == nil:
			if made == "" {
				// A copy: a directory must not keep alive the value of the
				// command that happened to make it.
				made = strings.Clone(path[:last])
			}
			child = newDir(made[:end], newDirectory(made[:end], s.epoch))
			child.created, child.modified = s.index+1, s.index+1
			way.insert(child)
			s.changes.changed(child)
		case child.directory().epoch() != s.epoch:
			child = s.own(child)
			way.parent().children.Replace(child)
		}
		way = append(way, child.directory())
	}
	return way
}

// own clones a directory for this batch.
func (s *Store) own(n *Node) *Node {
	return n.withDirectory(n.directory().clone(s.epoch))
}
