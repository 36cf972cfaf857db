package tree

import (
	"strings"
	"time"
)

// Node is a file or a directory. A published node never changes; its strings
// may be kept as long as one likes.
type Node struct {
	path     string // the whole path; the root's is "/"
	value    string
	created  created
	modified uint64
	expires  int64 // nanoseconds since 1970, zero for a permanent node
	dir      *directory
}

// created is the index at which a node came to be, and in its highest bit whether
// path and value stand in JSON as they are, which is found out once. A field of its
// own would make each node 16 bytes larger.
type created uint64

const verbatim created = 1 << 63

func (c created) index() uint64 { return uint64(c &^ verbatim) }

// noteVerbatim must be called when path and value are set.
func (n *Node) noteVerbatim() {
	if isVerbatim(n.path) && isVerbatim(n.value) {
		n.created |= verbatim
	}
}

// Path is the node's whole path.
func (n *Node) Path() string { return n.path }

// Value is what a file holds; empty for a directory.
func (n *Node) Value() string { return n.value }

// IsDir reports whether the node is a directory.
func (n *Node) IsDir() bool { return n.dir != nil }

// CreatedIndex is the index at which the node came to be.
func (n *Node) CreatedIndex() uint64 { return n.created.index() }

// ModifiedIndex is the index of the node's last change.
func (n *Node) ModifiedIndex() uint64 { return n.modified }

// Expires is when the node vanishes, in nanoseconds since 1970; zero is never.
func (n *Node) Expires() int64 { return n.expires }

// Len is the number of children, hidden ones included.
func (n *Node) Len() int {
	if n.dir == nil {
		return 0
	}
	return n.dir.len()
}

// TTL is the time left at now, in seconds, rounded up; what clients see as
// "ttl".
func (n *Node) TTL(now int64) int64 {
	left := n.expires - now
	ttl := left / int64(time.Second)
	if left%int64(time.Second) > 0 {
		ttl++
	}
	return ttl
}

// bytes is what the node counts for in the tree's size.
func (n *Node) bytes() int64 { return int64(len(n.path) + len(n.value)) }

// plain gives the node without its children: what an event may keep without
// keeping a whole subtree alive.
func (n *Node) plain() *Node {
	if n.dir == nil || n.dir == childless {
		return n
	}
	c := *n
	c.dir = childless
	return &c
}

// cutName splits the first component from the rest of a path without its
// leading slash.
func cutName(p string) (name, rest string, more bool) { return strings.Cut(p, "/") }

// base is the last component of a path.
func base(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

// join names the child of a directory.
func join(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

// hiddenName reports whether a component hides its node from listings.
func hiddenName(name string) bool { return len(name) > 0 && name[0] == '_' }

// below reports whether p lies strictly below dir.
func below(p, dir string) bool {
	if dir == "/" {
		return len(p) > 1
	}
	return len(p) > len(dir) && p[len(dir)] == '/' && p[:len(dir)] == dir
}

// hiddenBelow reports whether p, which is dir or lies below it, has a hidden
// component below dir.
func hiddenBelow(p, dir string) bool {
	if len(p) <= len(dir) {
		return false
	}
	rest := p[len(dir):]
	if dir == "/" {
		rest = p
	}
	return strings.Contains(rest, "/_")
}
