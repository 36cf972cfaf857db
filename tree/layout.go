package tree

import (
	"encoding/binary"
	"unsafe"
)

// A tree may have millions of nodes, and most of them are small files. The garbage
// collector visits every live object and follows its pointers. So a small file is one
// object without a pointer: the memory behind its Node holds the path, the value, and the
// extension if there is one. In large files and directories, the memory behind the Node holds
// pointers. Only the files layout*.go depend on the layout. All other code calls the methods of *Node.
//
// A node begins with four words, unless it is an unchangedFile: that has only the first word. Each word holds a number of indexBits in
// its high bits, and smaller fields in the lower 18 bits:
//
//	word 0  createdIndex     kind of the extension (2 bits), length of the path (8), length of the text (8)
//	word 1  modifiedIndex    sub (12), verbatim (1), one free bit, bits 36 to 39 of the version
//	word 2  create revision  bits 18 to 35 of the version
//	word 3  mod revision     bits 0 to 17 of the version
//
// The lengths are those of a small file, whose path is never empty. Another node has the length 0 of the path, and a tag in the place of
// the length of the text. A directory has flags in the place of the kind of the extension. Its word 2 holds the time at which it expires:
// a directory has no create revision, and its only versions are 0 and 1.

// indexBits is the size of an index and of a revision, in bits.
const indexBits = 46

// maxIndex is the largest index and the largest revision that a node can have.
const maxIndex = 1<<indexBits - 1

// maxVersion is the largest version, and maxSub the largest sub that a node can have. Larger ones are stored as these.
const (
	maxVersion = 1<<40 - 1
	maxSub     = 1<<12 - 1
)

const (
	lowBits = 64 - indexBits // of each word, below the index or the revision
	lowMask = 1<<lowBits - 1

	pathLenShift   = 8         // in word 0
	extensionShift = 16        // in word 0
	extensionMask  = 3         // after the shift
	tagMask        = 1<<16 - 1 // in word 0: both lengths, or the tag of a node that is no small file

	subShift         = 6        // in word 1
	verbatimBit      = 1 << 5   // in word 1
	versionHighMask  = 1<<4 - 1 // in word 1
	versionHighShift = 2 * lowBits
)

// The tags of nodes that are no small files.
const (
	largeTag = 0 // largeFile or extendedLargeFile
	dirTag   = 1 // dirNode
)

// The kinds of the extension of a file: 8 bytes that only some files have.
const (
	noExtension    = 0
	expiresOfFile  = 1 // see Node.Expires
	leaseOfFile    = 2 // see Node.Lease
	unchangedKind  = 3 // the file is an unchangedFile, and has no extension
	extensionBytes = 8
)

// fourWords is the beginning of all nodes but an unchangedFile.
type fourWords struct {
	Node
	_ [3]uint64
}

// smallFile is a file with space for the text behind it: the path, followed by the value. An extension follows the text.
// With each size of the space, the object fills a size class of the allocator.
type smallFile[S textSpace] struct {
	fourWords
	_ S
}

type textSpace interface {
	[16]byte | [32]byte | [48]byte | [64]byte | [80]byte | [96]byte | [112]byte | [128]byte | [144]byte | [smallText]byte
}

// smallText is the largest total size of path, value and extension of a small file, in bytes.
const smallText = 160

// pathNode is the common part of largeFile and dirNode.
type pathNode struct {
	fourWords
	path string
}

// largeFile is a file whose text is too long for a smallFile.
type largeFile struct {
	pathNode
	value string
}

// extendedLargeFile is a largeFile with an extension.
type extendedLargeFile struct {
	largeFile
	extension int64
}

// newFile makes a file with a TTL, a lease, or none of them: at least one of expires (see Node.Expires) and lease must be zero. A large
// file keeps the strings path and value alive. They should share one allocation that holds nothing else.
func newFile(path, value string, expires, lease int64) *Node {
	if isSmall(path, len(value), expires, lease) {
		return newSmallFile(path, value, expires, lease)
	}
	kind, extension := extensionOf(expires, lease)
	var n *Node
	if kind == noExtension {
		n = &(&largeFile{pathNode{path: path}, value}).Node
	} else {
		n = &(&extendedLargeFile{largeFile{pathNode{path: path}, value}, extension}).Node
	}
	n.word = kind<<extensionShift | largeTag
	n.setVerbatim()
	return n
}

// isSmall reports whether a file is a small one.
func isSmall(path string, valueLen int, expires, lease int64) bool {
	size := len(path) + valueLen
	if expires|lease != 0 {
		size += extensionBytes
	}
	return size <= smallText && path != ""
}

// extensionOf returns the extension of a file, and its kind.
func extensionOf(expires, lease int64) (kind uint64, extension int64) {
	switch {
	case lease != 0:
		return leaseOfFile, lease
	case expires != 0:
		return expiresOfFile, expires
	}
	return noExtension, 0
}

// newSmallFile is newFile for a file for which isSmall is true. It copies path and value.
func newSmallFile[T string | []byte](path string, value T, expires, lease int64) *Node {
	textLen := len(path) + len(value)
	kind, extension := extensionOf(expires, lease)
	size := textLen
	if kind != noExtension {
		size += extensionBytes
	}
	n := newTextSpace(size)
	n.word = kind<<extensionShift | uint64(len(path))<<pathLenShift | uint64(textLen)
	space := unsafe.Slice(n.text(), size)
	copy(space[copy(space, path):], value)
	if kind != noExtension {
		binary.LittleEndian.PutUint64(space[textLen:], uint64(extension))
	}
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
	case size <= 112:
		return &new(smallFile[[112]byte]).Node
	case size <= 128:
		return &new(smallFile[[128]byte]).Node
	case size <= 144:
		return &new(smallFile[[144]byte]).Node
	}
	return &new(smallFile[[smallText]byte]).Node
}

// words returns the four words of a node that is no unchangedFile.
func (n *Node) words() *[4]uint64 { return (*[4]uint64)(unsafe.Pointer(n)) }

// text returns the address of a small file's text: the path, followed by the value.
func (n *Node) text() *byte {
	offset := unsafe.Sizeof(fourWords{})
	if n.isUnchanged() {
		offset = unchangedHead
	}
	return (*byte)(unsafe.Add(unsafe.Pointer(n), offset))
}

func (n *Node) pathLen() uint8 { return uint8(n.word >> pathLenShift) }
func (n *Node) textLen() uint8 { return uint8(n.word) }

// setVerbatim must be called after path and value are set. n must not be an unchangedFile.
func (n *Node) setVerbatim() {
	if isVerbatim(n.Path()) && isVerbatim(n.Value()) {
		n.words()[1] |= verbatimBit
	}
}

// verbatim reports whether JSON needs no escapes for path and value.
func (n *Node) verbatim() bool {
	if n.isUnchanged() {
		return n.asUnchanged().verbatim()
	}
	return n.words()[1]&verbatimBit != 0
}

// setNumbers sets the numbers of a node that was just made or copied. n must not be an unchangedFile.
func (n *Node) setNumbers(c numbers) {
	words := n.words()
	version, sub := min(c.version, maxVersion), min(c.sub, maxSub)
	words[0] = c.created<<lowBits | words[0]&lowMask
	words[1] = c.modified<<lowBits | sub<<subShift | words[1]&verbatimBit | version>>versionHighShift
	if !n.IsDir() {
		words[2] = c.createRevision<<lowBits | version>>lowBits&lowMask
	}
	words[3] = c.modRevision<<lowBits | version&lowMask
}

// storedVersion returns the version as it is stored: zero for a node that was written before revisions were counted.
func (n *Node) storedVersion() uint64 {
	switch {
	case n.isUnchanged():
		return n.asUnchanged().version()
	case n.IsDir():
		return n.words()[3] & lowMask
	}
	return n.words()[1]&versionHighMask<<versionHighShift | n.words()[2]&lowMask<<lowBits | n.words()[3]&lowMask
}

// CreatedIndex returns the index of the change that made the node. A v2 set makes a new file, an update keeps it.
func (n *Node) CreatedIndex() uint64 { return n.word >> lowBits }

// ModifiedIndex returns the index of the last change of the node. A directory in the
// tree keeps the index of its creation. A directory in an event has the index of the event.
func (n *Node) ModifiedIndex() uint64 {
	if n.isUnchanged() {
		return n.CreatedIndex()
	}
	return n.words()[1] >> lowBits
}

// CreateRevision returns the revision of the change that made the file. It is zero for a directory.
func (n *Node) CreateRevision() uint64 {
	switch {
	case n.isUnchanged():
		return n.asUnchanged().revision()
	case n.IsDir():
		return 0
	}
	return n.words()[2] >> lowBits
}

// ModRevision returns the revision of the change with the ModifiedIndex.
func (n *Node) ModRevision() uint64 {
	if n.isUnchanged() {
		return n.asUnchanged().revision()
	}
	return n.words()[3] >> lowBits
}

// Sub returns the number of changes that its revision has made before the last change of the node. It is at most 4095: for the changes
// after that, too.
func (n *Node) Sub() uint64 {
	if n.isUnchanged() {
		return n.asUnchanged().sub()
	}
	return n.words()[1] >> subShift & maxSub
}

// Expires returns the time at which the node is removed, in nanoseconds since 1970. It is zero for a permanent node.
func (n *Node) Expires() int64 {
	if n.IsDir() {
		return int64(n.words()[2])
	}
	return n.extension(expiresOfFile)
}

// Lease returns the ID of the lease that the file is attached to. It is zero for any other node. A file with a lease has no Expires.
func (n *Node) Lease() int64 {
	if n.IsDir() {
		return 0
	}
	return n.extension(leaseOfFile)
}

// setExpires sets the result of Expires of a directory that was just made or copied. That of a file is an argument of newFile.
func (n *Node) setExpires(expires int64) { n.words()[2] = uint64(expires) }

// extension returns the extension of a file that has one of this kind, and otherwise zero.
func (n *Node) extension(kind uint64) int64 {
	if n.word>>extensionShift&extensionMask != kind {
		return 0
	}
	if n.pathLen() == 0 {
		return (*extendedLargeFile)(unsafe.Pointer(n)).extension
	}
	textLen := int(n.textLen())
	return int64(binary.LittleEndian.Uint64(unsafe.Slice(n.text(), textLen+extensionBytes)[textLen:]))
}

// IsDir reports whether the node is a directory.
func (n *Node) IsDir() bool { return n.word&tagMask == dirTag }

// Path returns the whole path of the node. The path of the root is "/".
func (n *Node) Path() string {
	if pathLen := n.pathLen(); pathLen != 0 {
		return unsafe.String(n.text(), pathLen)
	}
	return (*pathNode)(unsafe.Pointer(n)).path
}

// Value returns the value of a file. It is empty for a directory.
func (n *Node) Value() string {
	switch pathLen := n.pathLen(); {
	case pathLen != 0:
		return unsafe.String(n.text(), n.textLen())[pathLen:]
	case n.IsDir():
		return ""
	}
	return (*largeFile)(unsafe.Pointer(n)).value
}
