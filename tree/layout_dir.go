package tree

import "unsafe"

// dirNode is a directory. The field unchangedSince needs no memory: without it, the size class of the allocator has 8 more bytes
// than the object.
type dirNode struct {
	pathNode
	dir            *directory
	unchangedSince uint64 // see Node.UnchangedSince
}

// shadowingDir is a directory with a shadowed file.
type shadowingDir struct {
	dirNode
	shadowed *Node
}

// The flags of a directory, which lie in the place of the kind of a file's extension.
const (
	impliedFlag   = 1 << iota // see Node.isImplied
	shadowingFlag             // the directory is a shadowingDir
)

// newDir makes a directory. It keeps the string path alive, which must not share memory
// with a value.
func newDir(path string, dir *directory) *Node {
	d := &dirNode{pathNode: pathNode{path: path}, dir: dir}
	d.word = dirTag
	d.setVerbatim()
	return &d.Node
}

// withDirectory returns a copy of n, which must be a directory, with other children.
func (n *Node) withDirectory(dir *directory) *Node { return n.copyDir(dir, n.Shadowed()) }

// withShadowed returns a copy of n, which must be a directory, with another shadowed file, or with none if file is nil. If n has none
// either, it returns n.
func (n *Node) withShadowed(file *Node) *Node {
	if file == n.Shadowed() {
		return n
	}
	return n.copyDir(n.directory(), file)
}

// copyDir returns a copy of n, which must be a directory, with other children and another shadowed file, or nil.
func (n *Node) copyDir(dir *directory, shadowed *Node) *Node {
	var d *dirNode
	if shadowed == nil {
		d = new(dirNode)
	} else {
		s := &shadowingDir{shadowed: shadowed}
		d = &s.dirNode
	}
	*d.words(), d.path, d.dir, d.unchangedSince = *n.words(), n.Path(), dir, n.UnchangedSince()
	d.setFlag(shadowingFlag, shadowed != nil)
	return &d.Node
}

// flag reports whether a node is a directory with a flag.
func (n *Node) flag(flag uint64) bool { return n.IsDir() && n.word&(flag<<extensionShift) != 0 }

func (n *Node) setFlag(flag uint64, on bool) {
	n.word &^= flag << extensionShift
	if on {
		n.word |= flag << extensionShift
	}
}

// isImplied reports whether the node is a directory that exists only because keys of etcd's v3 API lie below it. It is removed with the
// last of them. A write of v2 to it or below it makes it explicit.
func (n *Node) isImplied() bool { return n.flag(impliedFlag) }

// setImplied sets the result of isImplied. n must be a directory that the current batch may change.
func (n *Node) setImplied(implied bool) { n.setFlag(impliedFlag, implied) }

// Shadowed returns the shadowed file of a directory: the file of the key that equals the path of the directory. etcd's v3 API has such
// a key beside those below the directory. v2 shows the directory, and shows the file when the directory is gone. Shadowed returns nil for
// a directory without such a file, and for a file.
func (n *Node) Shadowed() *Node {
	if !n.flag(shadowingFlag) {
		return nil
	}
	return (*shadowingDir)(unsafe.Pointer(n)).shadowed
}

// UnchangedSince returns the modifiedIndex of a file. For a directory it returns an index from which on neither the directory nor
// anything below it has changed: neither was a node added, replaced or removed, nor did a TTL change. It is the index of the last such
// change, or that of the state from which the tree was loaded if there was none since. So it may differ between members. Two
// members that return the same index have the same nodes, unless the tree follows an etcd: a change of MirrorChange.Nodes may have no
// index of its own, and a member that loads its tree after such a change returns the same index as before it.
func (n *Node) UnchangedSince() uint64 {
	if !n.IsDir() {
		return n.ModifiedIndex()
	}
	return (*dirNode)(unsafe.Pointer(n)).unchangedSince
}

// setUnchangedSince sets the result of UnchangedSince. n must be a directory that the current batch may change.
func (n *Node) setUnchangedSince(index uint64) { (*dirNode)(unsafe.Pointer(n)).unchangedSince = index }

// directory returns the directory of the node. It is nil for a file.
func (n *Node) directory() *directory {
	if !n.IsDir() {
		return nil
	}
	return (*dirNode)(unsafe.Pointer(n)).dir
}
