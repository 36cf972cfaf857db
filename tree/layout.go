package tree

import "unsafe"

// A tree may have millions of nodes, and most of them are small files. The garbage
// collector visits every live object and follows its pointers. So a small file is one
// object without a pointer: the memory behind its Node holds the path and the value. In
// large files and directories, the memory behind the Node holds pointers. Only this file
// depends on the layout. All other code calls the methods of *Node.

// kind is the type of the object that begins with a Node.
type kind uint8

const (
	smallKind kind = iota // smallFile[...]
	largeKind             // largeFile
	dirKind               // dirNode
)

// smallFile is a Node with space for the text behind it: the path, followed by the value.
// With each size of the space, the object fills a size class of the allocator.
type smallFile[S textSpace] struct {
	Node
	_ S
}

type textSpace interface {
	[16]byte | [32]byte | [48]byte | [64]byte | [80]byte | [96]byte | [128]byte | [smallText]byte
}

// smallText is the largest total size of path and value of a small file, in bytes.
const smallText = 160

// pathNode is the common part of largeFile and dirNode.
type pathNode struct {
	Node
	path string
}

// largeFile is a file whose text is too long for a smallFile.
type largeFile struct {
	pathNode
	value string
}

// dirNode is a directory. The field unchangedSince needs no memory: without it, the size class of the allocator has 8 more bytes
// than the object.
type dirNode struct {
	pathNode
	dir            *directory
	unchangedSince uint64 // see Node.UnchangedSince
}

// newFile makes a file. A large file keeps the strings path and value alive. They should
// share one allocation that holds nothing else.
func newFile(path, value string) *Node {
	if len(path)+len(value) <= smallText {
		return newSmallFile(path, value)
	}
	f := &largeFile{pathNode{Node{kind: largeKind}, path}, value}
	f.setVerbatim()
	return &f.Node
}

// newSmallFile makes a small file. It copies path and value, which must have at most
// smallText bytes together.
func newSmallFile[T string | []byte](path string, value T) *Node {
	n := newTextSpace(len(path) + len(value))
	n.textLen, n.pathLen = uint8(len(path)+len(value)), uint8(len(path))
	text := unsafe.Slice(n.text(), n.textLen)
	copy(text[copy(text, path):], value)
	n.setVerbatim()
	return n
}

// newTextSpace makes an empty small file with space for at least size bytes of text.
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

// text returns the address of a small file's text: the path, followed by the value.
func (n *Node) text() *byte {
	return (*byte)(unsafe.Add(unsafe.Pointer(n), unsafe.Sizeof(Node{})))
}

// newDir makes a directory. It keeps the string path alive, which must not share memory
// with a value.
func newDir(path string, dir *directory) *Node {
	d := &dirNode{pathNode: pathNode{Node{kind: dirKind}, path}, dir: dir}
	d.setVerbatim()
	return &d.Node
}

// withDirectory returns a copy of n, which must be a directory, with other children.
func (n *Node) withDirectory(dir *directory) *Node {
	d := &dirNode{pathNode{Node{
		created: n.created, modified: n.modified, expires: n.expires,
		kind: dirKind, verbatim: n.verbatim,
	}, n.Path()}, dir, n.UnchangedSince()}
	return &d.Node
}

// UnchangedSince returns the modifiedIndex of a file. For a directory it returns an index from which on neither the directory nor
// anything below it has changed: neither was a node added, replaced or removed, nor did a TTL change. It is the index of the last such
// change, or that of the state from which the tree was loaded if there was none since. So it may differ between members. Two
// members that return the same index have the same nodes, unless the tree follows an etcd: a change of MirrorChange.Nodes may have no
// index of its own, and a member that loads its tree after such a change returns the same index as before it.
func (n *Node) UnchangedSince() uint64 {
	if n.kind != dirKind {
		return n.modified
	}
	return (*dirNode)(unsafe.Pointer(n)).unchangedSince
}

// setUnchangedSince sets the result of UnchangedSince. n must be a directory that the current batch may change.
func (n *Node) setUnchangedSince(index uint64) { (*dirNode)(unsafe.Pointer(n)).unchangedSince = index }

// directory returns the directory of the node. It is nil for a file.
func (n *Node) directory() *directory {
	if n.kind != dirKind {
		return nil
	}
	return (*dirNode)(unsafe.Pointer(n)).dir
}

// Path returns the whole path of the node. The path of the root is "/".
func (n *Node) Path() string {
	if n.kind == smallKind {
		return unsafe.String(n.text(), n.pathLen)
	}
	return (*pathNode)(unsafe.Pointer(n)).path
}

// Value returns the value of a file. It is empty for a directory.
func (n *Node) Value() string {
	switch n.kind {
	case smallKind:
		return unsafe.String(n.text(), n.textLen)[n.pathLen:]
	case largeKind:
		return (*largeFile)(unsafe.Pointer(n)).value
	}
	return ""
}
