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

// stateVersion is the version of the stored forms in this file.
const stateVersion = 1

const (
	nodeFile = 0
	nodeDir  = 1
)

// The flags of a stored event.
const (
	eventRefresh = 1 << iota // Event.refresh
	eventPrev                // Event.prev is not nil
)

// AppendNode appends the stored form of n, without its path and its children.
func AppendNode(dst []byte, n *Node) []byte {
	kind := byte(nodeFile)
	if n.IsDir() {
		kind = nodeDir
	}
	dst = append(dst, kind)
	dst = binary.AppendUvarint(dst, n.created)
	dst = binary.AppendUvarint(dst, n.modified)
	dst = binary.AppendVarint(dst, n.expires)
	return append(dst, n.Value()...)
}

// decodeNode decodes what AppendNode appended. The node shares no memory with path and
// data.
func decodeNode(path string, data []byte) (*Node, error) {
	r := decoder{src: data}
	kind := r.octet()
	created, modified, expires := r.uvarint(), r.uvarint(), r.varint()
	if r.bad || kind > nodeDir || kind == nodeDir && len(r.src) > 0 {
		return nil, fmt.Errorf("%w: node %.64q", ErrBadState, path)
	}
	var n *Node
	switch {
	case kind == nodeDir:
		n = newDir(strings.Clone(path), newDirectory(path, 0))
	case len(path)+len(r.src) <= smallText:
		n = newSmallFile(path, r.src)
	default:
		text := path + string(r.src)
		n = newFile(text[:len(path)], text[len(path):])
	}
	n.created, n.modified, n.expires = created, modified, expires
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
	e.refresh = flags&eventRefresh != 0
	e.time = r.varint()
	var err error
	if e.node, err = decodeEventNode(&r); err == nil && flags&eventPrev != 0 {
		e.prev, err = decodeEventNode(&r)
	}
	switch {
	case err != nil:
		return nil, err
	case r.bad || len(r.src) > 0 || flags > eventRefresh|eventPrev || e.action == 0 || e.action > ActionAuth,
		e.action == ActionAuth && (e.node.Path() != "/" || !e.node.IsDir()):
		return nil, fmt.Errorf("%w: event", ErrBadState)
	}
	return e, nil
}

func decodeEventNode(r *decoder) (*Node, error) {
	path := r.lengthPrefixed()
	data := r.lengthPrefixed()
	if r.bad || !ValidPath(path) {
		return nil, fmt.Errorf("%w: event", ErrBadState)
	}
	n, err := decodeNode(path, []byte(data))
	if err != nil {
		return nil, err
	}
	return n.withoutChildren(), nil
}

// AppendState appends the stored form of the index and the counters: the part of the
// view that is not in nodes.
func (v *View) AppendState(dst []byte) []byte {
	dst = append(dst, stateVersion)
	dst = binary.AppendUvarint(dst, v.index)
	counters := v.counters
	for _, n := range counters.all() {
		dst = binary.AppendUvarint(dst, *n)
	}
	return dst
}

func decodeState(data []byte) (index uint64, c Counters, err error) {
	r := decoder{src: data}
	if v := r.octet(); v != stateVersion {
		return 0, c, fmt.Errorf("%w: version %d, but this program reads version %d", ErrBadState, v, stateVersion)
	}
	index = r.uvarint()
	for _, n := range c.all() {
		*n = r.uvarint()
	}
	if r.bad || len(r.src) > 0 || index < firstIndex {
		return 0, c, fmt.Errorf("%w: index or counters", ErrBadState)
	}
	return index, c, nil
}
