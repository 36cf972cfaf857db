package tree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// ErrBadState is returned if stored bytes can't be decoded, and if stored nodes, events
// and state contradict each other.
var ErrBadState = errors.New("tree: not a stored state")

// stateVersion is the version of the stored forms of a mirror, and of a state without revisions.
const stateVersion = 1

// The kinds of a stored node. From nodeCountedFile on they are those of a node with a version: it was written after StartRevisions. The
// kinds are stored on disk: the number of a kind must never change, and must never be used again.
const (
	nodeFile = 0
	nodeDir  = 1

	nodeCountedFile = 2
	nodeCountedDir  = 3
	nodeLeasedFile  = 4 // a nodeCountedFile with a lease instead of a TTL
	nodeImpliedDir  = 5 // a nodeCountedDir for which Node.isImplied is true

	lastNodeKind = nodeImpliedDir
)

// The flags of a stored event.
const (
	eventRefresh = 1 << iota // Event.refresh
	eventPrev                // Event.prev is not nil
	eventV3Only              // Event.v3Only; written only after StartRevisions

	lastEventFlag = eventV3Only
)

// AppendNode appends the stored form of n, without its path and its children. Programs below KVLevel can't read that of a node that was
// written after StartRevisions.
func AppendNode(dst []byte, n *Node) []byte {
	counted := n.storedVersion() != 0
	kind, extension := byte(nodeFile), n.Expires()
	switch lease := n.Lease(); {
	case lease != 0:
		kind, extension = nodeLeasedFile, lease
	case n.isImplied():
		kind = nodeImpliedDir
	case n.IsDir() && counted:
		kind = nodeCountedDir
	case n.IsDir():
		kind = nodeDir
	case counted:
		kind = nodeCountedFile
	}
	dst = append(dst, kind)
	dst = binary.AppendUvarint(dst, n.CreatedIndex())
	dst = binary.AppendUvarint(dst, n.ModifiedIndex())
	dst = binary.AppendVarint(dst, extension)
	if kind < nodeCountedFile {
		return append(dst, n.Value()...)
	}
	// A revision is mostly not far below its index.
	dst = binary.AppendUvarint(dst, n.ModifiedIndex()-n.ModRevision())
	dst = binary.AppendUvarint(dst, n.Sub())
	if !n.IsDir() {
		dst = binary.AppendUvarint(dst, n.CreatedIndex()-n.CreateRevision())
		dst = binary.AppendUvarint(dst, n.storedVersion())
	}
	return append(dst, n.Value()...)
}

// storedNode is the decoded form of a node, without the path. value shares memory with the bytes that were decoded.
type storedNode struct {
	numbers
	isDir, implied bool
	expires, lease int64
	value          []byte
}

// parseNode decodes what AppendNode appended. path is only for the error.
func parseNode[T string | []byte](path T, data []byte) (n storedNode, err error) {
	r := decoder{src: data}
	kind := r.octet()
	n.created, n.modified = r.uvarint(), r.uvarint()
	n.expires = r.varint()
	if kind == nodeLeasedFile {
		n.expires, n.lease = 0, n.expires
	}
	n.createRevision, n.modRevision = n.created, n.modified
	n.isDir, n.implied = kind == nodeDir || kind == nodeCountedDir || kind == nodeImpliedDir, kind == nodeImpliedDir
	if kind >= nodeCountedFile {
		n.modRevision, n.sub, n.version = n.modified-r.uvarint(), r.uvarint(), 1
		if !n.isDir {
			n.createRevision, n.version = n.created-r.uvarint(), r.uvarint()
		}
	}
	n.value = r.src
	switch {
	case r.bad, kind > lastNodeKind, n.isDir && len(n.value) > 0, kind >= nodeCountedFile && (n.version == 0 || n.version > maxVersion),
		n.sub > maxSub, kind == nodeLeasedFile && n.lease == 0:
		return n, fmt.Errorf("%w: node %.64q", ErrBadState, path)
	}
	if err := n.check(); err != nil {
		return n, fmt.Errorf("%w: node %.64q: %w", ErrBadState, path, err)
	}
	return n, nil
}

// node returns the node at a path. It shares no memory with path and value.
func (s *storedNode) node(path string) *Node {
	switch {
	case s.isDir:
		n := newDir(strings.Clone(path), newDirectory(path, 0))
		n.setExpires(s.expires)
		n.setImplied(s.implied)
		n.setNumbers(s.numbers)
		return n
	case isSmall(path, len(s.value), s.expires, s.lease):
		return newSmallNumberedFile(path, s.value, s.expires, s.lease, s.numbers)
	}
	text := path + string(s.value)
	return newNumberedFile(text[:len(path)], text[len(path):], s.expires, s.lease, s.numbers)
}

// decodeNode decodes what AppendNode appended. The node shares no memory with path and data.
func decodeNode(path string, data []byte) (*Node, error) {
	s, err := parseNode(path, data)
	if err != nil {
		return nil, err
	}
	return s.node(path), nil
}

// DecodeFields returns the node at a path from the bytes that AppendNode appended. It shares no memory with them. The error wraps
// ErrBadState.
func DecodeFields(path string, data []byte) (NodeFields, error) {
	if path == "/" || !ValidPath(path) {
		return NodeFields{}, fmt.Errorf("%w: path %.64q", ErrBadState, path)
	}
	n, err := decodeNode(path, data)
	if err != nil {
		return NodeFields{}, err
	}
	return n.Fields(), nil
}

// AppendEvent appends the stored form of e.
func AppendEvent(dst []byte, e *Event) []byte {
	var flags byte
	if e.refresh {
		flags |= eventRefresh
	}
	if e.prev != nil {
		flags |= eventPrev
	}
	if e.v3Only {
		flags |= eventV3Only
	}
	dst = append(dst, byte(e.action), flags)
	dst = binary.AppendVarint(dst, e.time)
	dst = appendEventNode(dst, e.node)
	if e.prev != nil {
		dst = appendEventNode(dst, e.prev)
	}
	return dst
}

func appendEventNode(dst []byte, n *Node) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(n.Path())))
	dst = append(dst, n.Path()...)
	node := AppendNode(nil, n)
	dst = binary.AppendUvarint(dst, uint64(len(node)))
	return append(dst, node...)
}

// decodeEvent decodes what AppendEvent appended. The event shares no memory with data. find returns the files that the event may share with
// others.
func decodeEvent(data []byte, find nodeFinder) (*Event, error) {
	r := decoder{src: data}
	e := &Event{action: Action(r.octet())}
	flags := r.octet()
	e.refresh, e.v3Only = flags&eventRefresh != 0, flags&eventV3Only != 0
	e.time = r.varint()
	var err error
	if e.node, err = decodeEventNode(&r, e.v3Only, find); err == nil && flags&eventPrev != 0 {
		e.prev, err = decodeEventNode(&r, e.v3Only, find)
	}
	switch {
	case err != nil:
		return nil, err
	case r.bad || len(r.src) > 0 || flags >= lastEventFlag<<1 || e.action == 0 || e.action > ActionAuth,
		e.action == ActionAuth && (e.node.Path() != "/" || !e.node.IsDir()):
		return nil, fmt.Errorf("%w: event", ErrBadState)
	}
	return e, nil
}

// decodeEventNode decodes a node of an event. Without anyKey its path must be valid.
func decodeEventNode(r *decoder, anyKey bool, find nodeFinder) (*Node, error) {
	path := r.bytes(r.uvarint())
	data := r.bytes(r.uvarint())
	if r.bad {
		return nil, fmt.Errorf("%w: event", ErrBadState)
	}
	s, err := parseNode(path, data)
	if err != nil {
		return nil, err
	}
	n := find(s.modified)
	if n == nil || !s.isFile(n, path) {
		n = s.node(string(path)).withoutChildren()
	}
	if !anyKey && !ValidPath(n.Path()) {
		return nil, fmt.Errorf("%w: event", ErrBadState)
	}
	return n, nil
}
