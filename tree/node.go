package tree

import (
	"strings"
	"time"
)

// Node is a file or a directory. A published node never changes; its strings
// may be kept as long as one likes. It is the beginning of something larger (see
// kind.go): never copy one.
type Node struct {
	_                 noCopy
	created, modified uint64
	expires           int64 // nanoseconds since 1970, zero for a permanent node
	textLen, pathLen  uint8 // of a small file
	kind              kind
	verbatim          bool // path and value stand in JSON as they are, which is found out once
}

// noCopy has go vet report copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// noteVerbatim must be called when path and value are set.
func (n *Node) noteVerbatim() { n.verbatim = isVerbatim(n.Path()) && isVerbatim(n.Value()) }

// IsDir reports whether the node is a directory.
func (n *Node) IsDir() bool { return n.kind == dirKind }

// CreatedIndex is the index at which the node came to be.
func (n *Node) CreatedIndex() uint64 { return n.created }

// ModifiedIndex is the index of the node's last change.
func (n *Node) ModifiedIndex() uint64 { return n.modified }

// Expires is when the node vanishes, in nanoseconds since 1970; zero is never.
func (n *Node) Expires() int64 { return n.expires }

// Len is the number of children, hidden ones included.
func (n *Node) Len() int {
	if !n.IsDir() {
		return 0
	}
	return n.directory().children.Len()
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
func (n *Node) bytes() int64 { return int64(len(n.Path()) + len(n.Value())) }

// plain gives the node without its children: what an event may keep without
// keeping a whole subtree alive.
func (n *Node) plain() *Node {
	if !n.IsDir() || n.directory() == noChildren {
		return n
	}
	return n.withDirectory(noChildren)
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
