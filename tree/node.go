package tree

import (
	"time"
)

// Node is a file or a directory. A published node never changes, so any goroutine may
// read it, and its strings may be kept without limit. A Node is the beginning of a
// larger object (see layout.go): it must not be copied.
type Node struct {
	_                 noCopy
	created, modified uint64
	expires           int64 // nanoseconds since 1970, zero for a permanent node
	textLen, pathLen  uint8 // length of a small file's text and of the path in it
	kind              kind
	verbatim          bool // JSON needs no escapes for path and value
}

// noCopy makes go vet report copies of a struct that has it as a field.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// setVerbatim must be called after path and value are set.
func (n *Node) setVerbatim() { n.verbatim = isVerbatim(n.Path()) && isVerbatim(n.Value()) }

// IsDir reports whether the node is a directory.
func (n *Node) IsDir() bool { return n.kind == dirKind }

// ModifiedIndex returns the index of the last change of the node. A directory in the
// tree keeps the index of its creation. A directory in an event has the index of the event.
func (n *Node) ModifiedIndex() uint64 { return n.modified }

// Expires returns the time at which the node is removed, in nanoseconds since 1970. It is
// zero for a permanent node.
func (n *Node) Expires() int64 { return n.expires }

// Len returns the number of children, including hidden ones. A file has none.
func (n *Node) Len() int {
	if !n.IsDir() {
		return 0
	}
	return n.directory().children.Len()
}

// ttl returns the time from now until the node expires: "ttl" in the v2 API.
func (n *Node) ttl(now int64) int64 { return SecondsLeft(n.expires, now) }

// SecondsLeft returns the time from now until expires in seconds, rounded up. Both times are nanoseconds since 1970.
func SecondsLeft(expires, now int64) int64 {
	left := expires - now
	ttl := left / int64(time.Second)
	if left%int64(time.Second) > 0 {
		ttl++
	}
	return ttl
}

// bytes returns the length of path and value: the share of the node in View.Bytes.
func (n *Node) bytes() int64 { return int64(len(n.Path()) + len(n.Value())) }

// withoutChildren returns the node without its children. Events use it, because they must
// not keep a whole subtree alive.
func (n *Node) withoutChildren() *Node {
	if !n.IsDir() || n.directory() == noChildren {
		return n
	}
	return n.withDirectory(noChildren)
}
