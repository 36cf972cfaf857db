package tree

import "unsafe"

// A tree may have millions of nodes, and most of them are small files. The garbage
// collector visits every object that is alive, anywhere in memory, and follows the
// pointers in it. So a small file is one object without a pointer: its path and its
// value lie in memory behind its Node. Large files and directories have pointers, and
// they too lie behind the Node. Only this file depends on the layout; all other code
// calls the methods of *Node.

// kind says of which object a Node is the beginning.
type kind uint8

const (
	smallKind kind = iota // smallFile[...]
	largeKind             // largeFile
	dirKind               // dirNode
)

// smallFile has space for a text behind its Node: path and value. The sizes of the
// space fill size classes of the allocator.
type smallFile[S textSpace] struct {
	Node
	_ S
}

type textSpace interface {
	[16]byte | [32]byte | [48]byte | [64]byte | [80]byte | [96]byte | [128]byte | [smallText]byte
}

// smallText is the number of bytes that path and value of a small file have together at
// most.
const smallText = 160

// pathNode is the beginning of a large file and of a directory.
type pathNode struct {
	Node
	path string
}

// largeFile is a file whose text is too long for a smallFile.
type largeFile struct {
	pathNode
	value string
}

// dirNode is a directory.
type dirNode struct {
	pathNode
	dir *directory
}

// newFile makes a file. A large file keeps the two strings. They should share one piece
// of memory that holds nothing else, because the file keeps all of it alive.
func newFile(path, value string) *Node {
	if len(path)+len(value) <= smallText {
		return newSmallFile(path, value)
	}
	f := &largeFile{pathNode{Node{kind: largeKind}, path}, value}
	f.setVerbatim()
	return &f.Node
}

// newSmallFile makes a file of at most smallText bytes. It copies path and value.
func newSmallFile[T string | []byte](path string, value T) *Node {
	n := newTextSpace(len(path) + len(value))
	n.textLen, n.pathLen = uint8(len(path)+len(value)), uint8(len(path))
	text := unsafe.Slice(n.text(), n.textLen)
	copy(text[copy(text, path):], value)
	n.setVerbatim()
	return n
}

// newTextSpace makes a small file with space for size bytes of text.
func newTextSpace(size int) *Node {
	switch {
	case size <= 16:
		return &new(smallFile[[16]byte]).Node
	case size <= 32:
		return &new(smallFile[[32]byte]).Node
	case size <= 48:
		return &new(smallFile[[48]byte]).Node
	case size <= 64:
		return &new(smallFile[[64]byte]).Node
	case size <= 80:
		return &new(smallFile[[80]byte]).Node
	case size <= 96:
		return &new(smallFile[[96]byte]).Node
	case size <= 128:
		return &new(smallFile[[128]byte]).Node
	}
	return &new(smallFile[[smallText]byte]).Node
}

// text is the address of a small file's text: the path, followed by the value.
func (n *Node) text() *byte {
	return (*byte)(unsafe.Add(unsafe.Pointer(n), unsafe.Sizeof(Node{})))
}

// newDir makes a directory. It keeps path, which must not share memory with a value.
func newDir(path string, dir *directory) *Node {
	d := &dirNode{pathNode{Node{kind: dirKind}, path}, dir}
	d.setVerbatim()
	return &d.Node
}

// withDirectory returns a copy of a directory's node that has other children.
func (n *Node) withDirectory(dir *directory) *Node {
	d := &dirNode{pathNode{Node{
		created: n.created, modified: n.modified, expires: n.expires,
		kind: dirKind, verbatim: n.verbatim,
	}, n.Path()}, dir}
	return &d.Node
}

// directory holds the children of the node. It is nil for a file.
func (n *Node) directory() *directory {
	if n.kind != dirKind {
		return nil
	}
	return (*dirNode)(unsafe.Pointer(n)).dir
}

// Path is the whole path of the node. That of the root is "/".
func (n *Node) Path() string {
	if n.kind == smallKind {
		return unsafe.String(n.text(), n.pathLen)
	}
	return (*pathNode)(unsafe.Pointer(n)).path
}

// Value is the content of a file. It is empty for a directory.
func (n *Node) Value() string {
	switch n.kind {
	case smallKind:
		return unsafe.String(n.text(), n.textLen)[n.pathLen:]
	case largeKind:
		return (*largeFile)(unsafe.Pointer(n)).value
	}
	return ""
}
