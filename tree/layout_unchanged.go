package tree

import "unsafe"

// unchangedFile is a small file without an extension that has not changed since it was made. Most files are that. It needs fewer numbers
// than others: the two indexes are equal, and so are the two revisions. They lie in 12 bytes before the text:
//
//	word 0  as in other nodes, with unchangedKind as the kind of the extension
//	tail    distance from the create revision to the createdIndex (23 bits), sub (7), version (1), verbatim (1)
//
// A file whose numbers do not fit has four words.
type unchangedFile struct {
	Node
	tail uint32
}

// unchangedText is an unchangedFile with space for its text: the path, followed by the value. With each size of the space, the object fills
// a size class of the allocator.
type unchangedText[S unchangedSpace] struct {
	Node
	_ uint32 // the tail
	_ S
}

type unchangedSpace interface {
	[4]byte | [20]byte | [36]byte | [52]byte | [68]byte | [84]byte | [100]byte | [116]byte | [132]byte | [148]byte | [164]byte
}

// unchangedHead is the size of an unchangedFile before the text, in bytes.
const unchangedHead = 12

// The fields of the tail.
const (
	unchangedVerbatim = 1 << 0
	unchangedVersion  = 1 << 1

	unchangedSubShift = 2
	maxUnchangedSub   = 1<<7 - 1
	distanceShift     = 9
	maxDistance       = 1<<23 - 1
)

// isUnchanged reports whether the node is an unchangedFile. A directory may have the same kind of the extension, but not a length of the
// path.
func (n *Node) isUnchanged() bool {
	const kind, pathLen = unchangedKind << extensionShift, 0xff << pathLenShift
	return n.word&(kind|pathLen) > kind
}

// asUnchanged returns the fields of an unchangedFile.
func (n *Node) asUnchanged() *unchangedFile { return (*unchangedFile)(unsafe.Pointer(n)) }

func (f *unchangedFile) verbatim() bool  { return f.tail&unchangedVerbatim != 0 }
func (f *unchangedFile) version() uint64 { return uint64(f.tail / unchangedVersion % 2) }
func (f *unchangedFile) sub() uint64     { return uint64(f.tail >> unchangedSubShift & maxUnchangedSub) }

// revision returns the create revision, which is the mod revision, too.
func (f *unchangedFile) revision() uint64 { return f.CreatedIndex() - uint64(f.tail>>distanceShift) }

// fitUnchanged reports whether a small file without an extension can be an unchangedFile.
func (c *numbers) fitUnchanged() bool {
	return c.created == c.modified && c.createRevision == c.modRevision && c.created-c.createRevision <= maxDistance &&
		c.version <= 1 && c.sub <= maxUnchangedSub
}

// newNumberedFile is newFile and setNumbers. The file needs the least memory for its numbers, which must not be set again.
func newNumberedFile(path, value string, expires, lease int64, c numbers) *Node {
	if isSmall(path, len(value), expires, lease) {
		return newSmallNumberedFile(path, value, expires, lease, c)
	}
	n := newFile(path, value, expires, lease)
	n.setNumbers(c)
	return n
}

// newSmallNumberedFile is newNumberedFile for a file for which isSmall is true. It copies path and value.
func newSmallNumberedFile[T string | []byte](path string, value T, expires, lease int64, c numbers) *Node {
	if expires|lease != 0 || !c.fitUnchanged() {
		n := newSmallFile(path, value, expires, lease)
		n.setNumbers(c)
		return n
	}
	textLen := len(path) + len(value)
	n := newUnchangedText(textLen)
	n.word = c.created<<lowBits | unchangedKind<<extensionShift | uint64(len(path))<<pathLenShift | uint64(textLen)
	space := unsafe.Slice(n.text(), textLen)
	copy(space[copy(space, path):], value)
	tail := uint32(c.created-c.createRevision)<<distanceShift | uint32(c.sub)<<unchangedSubShift | uint32(c.version)*unchangedVersion
	if isVerbatim(n.Path()) && isVerbatim(n.Value()) {
		tail |= unchangedVerbatim
	}
	n.asUnchanged().tail = tail
	return n
}

// newUnchangedText makes an empty unchangedFile with space for at least size bytes of text.
func newUnchangedText(size int) *Node {
	switch {
	case size <= 4:
		return &new(unchangedText[[4]byte]).Node
	case size <= 20:
		return &new(unchangedText[[20]byte]).Node
	case size <= 36:
		return &new(unchangedText[[36]byte]).Node
	case size <= 52:
		return &new(unchangedText[[52]byte]).Node
	case size <= 68:
		return &new(unchangedText[[68]byte]).Node
	case size <= 84:
		return &new(unchangedText[[84]byte]).Node
	case size <= 100:
		return &new(unchangedText[[100]byte]).Node
	case size <= 116:
		return &new(unchangedText[[116]byte]).Node
	case size <= 132:
		return &new(unchangedText[[132]byte]).Node
	case size <= 148:
		return &new(unchangedText[[148]byte]).Node
	}
	return &new(unchangedText[[164]byte]).Node
}
