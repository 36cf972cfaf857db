package etcdv2

import (
	"strings"

	"pando/tree"
)

// node is a file or a directory of the model.
type node struct {
	name              string
	created, modified uint64
	expires           int64 // nanoseconds since 1970; zero for a permanent node
	value             string
	children          map[string]*node // nil for a file
	parent            *node            // nil for the root
	place             int              // in the queue of expiries, from 1 on; zero for none
}

func (n *node) isDir() bool { return n.children != nil }

// path returns the path with the namespace.
func (n *node) path() string {
	if n.parent == nil {
		return "/"
	}
	size := 0
	for at := n; at.parent != nil; at = at.parent {
		size += 1 + len(at.name)
	}
	path := make([]byte, size)
	for at := n; at.parent != nil; at = at.parent {
		size -= len(at.name)
		copy(path[size:], at.name)
		size--
		path[size] = '/'
	}
	return string(path)
}

// fields returns the node as an event shows it.
func (n *node) fields() tree.NodeFields {
	return tree.NodeFields{
		Path: n.path(), Value: n.value, Dir: n.isDir(), Created: n.created, Modified: n.modified, Expires: n.expires,
	}
}

// find returns the node at a clean path. If there is none, blocked says whether a file is in the place of a directory.
func (s *store) find(path string) (n *node, blocked bool) {
	at := s.root
	for rest := path[1:]; rest != ""; {
		name, tail, _ := strings.Cut(rest, "/")
		if !at.isDir() {
			return nil, true
		}
		if at = at.children[name]; at == nil {
			return nil, false
		}
		rest = tail
	}
	return at, false
}

// makeDirs returns the directory at a clean path. It makes missing directories with the next index. It returns nil if a file
// is in the way; then it has made none.
func (s *store) makeDirs(path string) *node {
	at := s.root
	for rest := path[1:]; rest != ""; {
		name, tail, _ := strings.Cut(rest, "/")
		child := at.children[name]
		if child == nil {
			child = &node{
				name: strings.Clone(name), created: s.index + 1, modified: s.index + 1, children: map[string]*node{}, parent: at,
			}
			at.children[child.name] = child
		}
		if !child.isDir() {
			return nil
		}
		at, rest = child, tail
	}
	return at
}

// unlink removes a node and all nodes below it.
func (s *store) unlink(n *node) {
	s.expiries.removeBelow(n)
	delete(n.parent.children, n.name)
}
