package tree

import "unsafe"

// A tree may have millions of nodes, and most are small files. The collector looks
// at every object that is alive, anywhere in memory, and follows the pointers in it.
// So a small file is one object without a pointer: its path and its value lie behind
// its Node. Files and directories that need pointers have them behind their Node as
// well. Only this file knows of that; all others ask a *Node.

// kind says what a Node is the beginning of.
type kind uint8

const (
	smallKind kind = iota // smallFile[...]
	largeKind             // largeFile
	dirKind               // dirNode
)

// smallFile has room for its text, as much as one of the runtime's size classes
// leaves it.
type smallFile[R room] struct {
	Node
	_ R
}

type room interface {
	[16]byte | [32]byte | [48]byte | [64]byte | [80]byte | [96]byte | [128]byte | [smallText]byte
}

// smallText is how many bytes path and value of a small file have together at most.
const smallText = 160

// named is how those begin that are no small files.
type named struct {
	Node
	path string
}

// largeFile keeps the strings that it was given.
type largeFile struct {
	named
	value string
}

// dirNode is a directory.
type dirNode struct {
	named
	dir *directory
}

// newFile makes a file. A large one keeps path and value, which should share one
// piece of memory with nothing else in it.
func newFile(path, value string) *Node {
	if len(path)+len(value) <= smallText {
		return newSmallFile(path, value)
	}
	f := &largeFile{named{Node{kind: largeKind}, path}, value}
	f.noteVerbatim()
	return &f.Node
}

// newSmallFile makes a file that has copies of path and value.
func newSmallFile[T string | []byte](path string, value T) *Node {
	n := newRoom(len(path) + len(value))
	n.textLen, n.pathLen = uint8(len(path)+len(value)), uint8(len(path))
	text := unsafe.Slice(n.text(), n.textLen)
	copy(text[copy(text, path):], value)
	n.noteVerbatim()
	return n
}

func newRoom(size int) *Node {
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

// text is where the text of a small file begins: the path, and then the value.
func (n *Node) text() *byte {
	return (*byte)(unsafe.Add(unsafe.Pointer(n), unsafe.Sizeof(Node{})))
}

// newDir makes a directory. It keeps path, which must not keep alive a value.
func newDir(path string, dir *directory) *Node {
	d := &dirNode{named{Node{kind: dirKind}, path}, dir}
	d.noteVerbatim()
	return &d.Node
}

// withDirectory gives the node of a directory with other children.
func (n *Node) withDirectory(dir *directory) *Node {
	d := &dirNode{named{Node{
		created: n.created, modified: n.modified, expires: n.expires,
		kind: dirKind, verbatim: n.verbatim,
	}, n.Path()}, dir}
	return &d.Node
}

// directory holds the children; nil for a file.
func (n *Node) directory() *directory {
	if n.kind != dirKind {
		return nil
	}
	return (*dirNode)(unsafe.Pointer(n)).dir
}

// Path is the node's whole path; the root's is "/".
func (n *Node) Path() string {
	if n.kind == smallKind {
		return unsafe.String(n.text(), n.pathLen)
	}
	return (*named)(unsafe.Pointer(n)).path
}

// Value is what a file holds; empty for a directory.
func (n *Node) Value() string {
	switch n.kind {
	case smallKind:
		return unsafe.String(n.text(), n.textLen)[n.pathLen:]
	case largeKind:
		return (*largeFile)(unsafe.Pointer(n)).value
	}
	return ""
}
