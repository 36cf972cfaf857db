package tree

import (
	"iter"

	"pando/tree/users"
)

// KeyRange is the set of the keys k with From <= k < To, compared as strings of bytes. A To of "" is no end.
type KeyRange = users.Range

// MaxKeyBytes is the length of the longest key. etcd limits keys only by the size of a request.
const MaxKeyBytes = 32000

// SingleKey returns the range of one key.
func SingleKey(key string) KeyRange { return KeyRange{From: key, To: key + "\x00"} }

// KeyReader reads the keys of etcd's v3 API at one revision: every file of the tree, the shadowed ones, and the plain keys. Directories are
// no keys. The path of a file is its key.
type KeyReader interface {
	// Key returns the file of a key. It returns nil if there is none.
	Key(key string) *Node
	// Keys visits the files of the keys in a range, in the order of the keys as strings of bytes.
	Keys(r KeyRange) iter.Seq[*Node]
	// KeysDescending visits the files that Keys visits, in descending order. It is made to read a few of them.
	KeysDescending(r KeyRange) iter.Seq[*Node]
	// CountKeys returns the number of files that Keys visits.
	CountKeys(r KeyRange) int64
	// Revision returns the revision of the last change that the reader sees.
	Revision() uint64
}

// Key returns the file of a key. It returns nil if there is none.
func (v *View) Key(key string) *Node {
	if n := nodeAt(v.root, key); n != nil {
		if n.IsDir() {
			return n.Shadowed()
		}
		return n
	}
	return v.plain.nodes.Get(key)
}

// nodeAt returns the node at a path relative to root, or nil. The path may be any text: no node has an invalid path. For "/" it returns
// nil.
func nodeAt(root *Node, path string) *Node {
	if len(path) < 2 || path[0] != '/' {
		return nil
	}
	at := root
	for rest, more := path[1:], true; more; {
		var name string
		name, rest, more = cutName(rest)
		if !at.IsDir() {
			return nil
		}
		if at = at.directory().children.Get(name); at == nil {
			return nil
		}
	}
	return at
}

// isEmptyRange reports whether a range holds no keys whatever the tree holds.
func isEmptyRange(r KeyRange) bool { return r.To != "" && r.From >= r.To }
