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

// decodeNode decodes what AppendNode appended. The node shares no memory with path and
// data.
func decodeNode(path string, data []byte) (*Node, error) {
	r := decoder{src: data}
	kind := r.octet()
	c := numbers{created: r.uvarint(), modified: r.uvarint()}
	expires, lease := r.varint(), int64(0)
	if kind == nodeLeasedFile {
		expires, lease = 0, expires
	}
	c.createRevision, c.modRevision = c.created, c.modified
	isDir := kind == nodeDir || kind == nodeCountedDir || kind == nodeImpliedDir
	if kind >= nodeCountedFile {
		c.modRevision, c.sub, c.version = c.modified-r.uvarint(), r.uvarint(), 1
		if !isDir {
			c.createRevision, c.version = c.created-r.uvarint(), r.uvarint()
		}
	}
	switch {
	case r.bad, kind > lastNodeKind, isDir && len(r.src) > 0, kind >= nodeCountedFile && (c.version == 0 || c.version > maxVersion),
		c.sub > maxSub, kind == nodeLeasedFile && lease == 0:
		return nil, fmt.Errorf("%w: node %.64q", ErrBadState, path)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%w: node %.64q: %w", ErrBadState, path, err)
	}
	var n *Node
	switch {
	case isDir:
		n = newDir(strings.Clone(path), newDirectory(path, 0))
		n.setExpires(expires)
		n.setImplied(kind == nodeImpliedDir)
	case isSmall(path, len(r.src), expires, lease):
		n = newSmallFile(path, r.src, expires, lease)
	default:
		text := path + string(r.src)
		n = newFile(text[:len(path)], text[len(path):], expires, lease)
	}
	n.setNumbers(c)
	return n, nil
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

func decodeEvent(data []byte) (*Event, error) {
	r := decoder{src: data}
	e := &Event{action: Action(r.octet())}
	flags := r.octet()
	e.refresh, e.v3Only = flags&eventRefresh != 0, flags&eventV3Only != 0
	e.time = r.varint()
	var err error
	if e.node, err = decodeEventNode(&r, e.v3Only); err == nil && flags&eventPrev != 0 {
		e.prev, err = decodeEventNode(&r, e.v3Only)
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
func decodeEventNode(r *decoder, anyKey bool) (*Node, error) {
	path := r.lengthPrefixed()
	data := r.lengthPrefixed()
	if r.bad || !anyKey && !ValidPath(path) {
		return nil, fmt.Errorf("%w: event", ErrBadState)
	}
	n, err := decodeNode(path, []byte(data))
	if err != nil {
		return nil, err
	}
	return n.withoutChildren(), nil
}
