package tree

import (
	"iter"

	"pando/tree/btree"
)

// plainKeys holds the plain keys: the keys of etcd's v3 API that are no paths, such as "a", "/a/" and "/a//b". No directory has them, and
// v2 does not show them. A batch may change plainKeys of its own epoch in place, as it may change a directory.
type plainKeys struct {
	nodes btree.Map[*Node] // by their whole keys; the owner of the map is the epoch
	bytes int64            // the total length of the keys and values
}

func newPlainKeys() *plainKeys {
	return &plainKeys{nodes: btree.NewCounted[*Node](0, 0)}
}

// isPathKey reports whether a key is a path, at which the tree can have a file.
func isPathKey(key string) bool { return key != "/" && ValidPath(key) }

// mutablePlain returns the plain keys for changes by the current batch.
func (s *Store) mutablePlain() *plainKeys {
	if s.plain.nodes.Owner() != s.epoch {
		s.plain = &plainKeys{nodes: s.plain.nodes.Clone(s.epoch), bytes: s.plain.bytes}
	}
	return s.plain
}

// putPlain stores a file under a plain key, and returns the one that it replaces, or nil.
func (s *Store) putPlain(n *Node) (prev *Node) {
	p := s.mutablePlain()
	if prev = p.nodes.Get(n.Path()); prev != nil {
		p.nodes.Replace(n)
		p.bytes -= prev.bytes()
		s.superseded += prev.bytes()
	} else {
		p.nodes.Insert(n)
	}
	p.bytes += n.bytes()
	s.dirty.addKey(n)
	return prev
}

// deletePlain removes the file of a plain key, and returns it. It returns nil if there is none.
func (s *Store) deletePlain(key string) *Node {
	prev := s.plain.nodes.Get(key)
	if prev == nil {
		return nil
	}
	p := s.mutablePlain()
	p.nodes.Delete(key)
	p.bytes -= prev.bytes()
	s.superseded += prev.bytes()
	s.dirty.addKey(prev)
	return prev
}

// PlainKeys visits the files of the plain keys in the order of the keys.
func (v *View) PlainKeys() iter.Seq[*Node] {
	return func(yield func(*Node) bool) { v.plain.nodes.Scan(yield) }
}

// CountPlainKeys returns the number of plain keys.
func (v *View) CountPlainKeys() int64 { return int64(v.plain.nodes.Len()) }

// V3OnlyKey returns the file of a key that v2 does not show: a plain key, or the shadowed file of a directory. It returns nil if there is
// none.
func (v *View) V3OnlyKey(key string) *Node {
	if n := nodeAt(v.root, key); n != nil {
		return n.Shadowed()
	}
	return v.plain.nodes.Get(key)
}
