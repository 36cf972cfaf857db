package tree

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// errBadMirrorChange is returned for bytes that are not an encoded MirrorChange.
var errBadMirrorChange = errors.New("tree: not an encoded change of a mirror")

const (
	mirrorReset = 1 << iota
	mirrorSources
	mirrorSetsForward // ForwardWrites is not nil
	mirrorForward     // the value of ForwardWrites

	lastMirrorFlag = mirrorForward
)

// appendMirrorChange appends the encoding of c to dst.
func appendMirrorChange(dst []byte, c *MirrorChange) []byte {
	var flags byte
	if c.Reset {
		flags |= mirrorReset
	}
	if c.Sources != nil {
		flags |= mirrorSources
	}
	if c.ForwardWrites != nil {
		flags |= mirrorSetsForward
		if *c.ForwardWrites {
			flags |= mirrorForward
		}
	}
	dst = append(dst, flags, byte(c.Phase))
	dst = binary.AppendUvarint(dst, c.After)
	dst = binary.AppendUvarint(dst, c.To)
	if c.Sources != nil {
		dst = appendTexts(dst, c.Sources)
	}
	dst = appendTexts(dst, c.Removed)
	dst = binary.AppendUvarint(dst, uint64(len(c.Nodes)))
	for i := range c.Nodes {
		dst = c.Nodes[i].append(dst)
	}
	dst = binary.AppendUvarint(dst, uint64(len(c.Events)))
	for i := range c.Events {
		dst = c.Events[i].append(dst)
	}
	return dst
}

func appendTexts(dst []byte, texts []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(texts)))
	for _, t := range texts {
		dst = binary.AppendUvarint(dst, uint64(len(t)))
		dst = append(dst, t...)
	}
	return dst
}

func (f *NodeFields) append(dst []byte) []byte {
	kind := byte(nodeFile)
	if f.Dir {
		kind = nodeDir
	}
	dst = append(dst, kind)
	dst = binary.AppendUvarint(dst, f.Created)
	dst = binary.AppendUvarint(dst, f.Modified)
	dst = binary.AppendVarint(dst, f.Expires)
	dst = binary.AppendUvarint(dst, uint64(len(f.Path)))
	dst = binary.AppendUvarint(dst, uint64(len(f.Value)))
	dst = append(dst, f.Path...)
	return append(dst, f.Value...)
}

func (f *EventFields) append(dst []byte) []byte {
	var flags byte
	if f.Refresh {
		flags |= eventRefresh
	}
	if f.Prev != nil {
		flags |= eventPrev
	}
	dst = append(dst, byte(f.Action), flags)
	dst = binary.AppendVarint(dst, f.Time)
	dst = f.Node.append(dst)
	if f.Prev != nil {
		dst = f.Prev.append(dst)
	}
	return dst
}

// decodeMirrorChange decodes what appendMirrorChange appended. src must hold nothing else. The change shares no memory with src. Path
// and Value of a node lie in one allocation. decodeMirrorChange does not check the values: see MirrorChange.check. Errors wrap
// errBadMirrorChange.
func decodeMirrorChange(src []byte) (*MirrorChange, error) {
	r := decoder{src: src}
	flags := r.octet()
	c := &MirrorChange{Phase: MirrorPhase(r.octet()), After: r.uvarint(), To: r.uvarint(), Reset: flags&mirrorReset != 0}
	if flags&mirrorSources != 0 {
		c.Sources = append([]string{}, r.texts()...)
	}
	if flags&mirrorSetsForward != 0 {
		c.ForwardWrites = new(flags&mirrorForward != 0)
	}
	c.Removed = r.texts()
	for left := r.uvarint(); left > 0 && !r.bad; left-- {
		c.Nodes = append(c.Nodes, r.node())
	}
	for left := r.uvarint(); left > 0 && !r.bad; left-- {
		c.Events = append(c.Events, r.event())
	}
	hasForward := flags & (mirrorSetsForward | mirrorForward)
	if r.bad || len(r.src) > 0 || flags >= lastMirrorFlag<<1 || hasForward == mirrorForward {
		return nil, fmt.Errorf("%w: %d bytes", errBadMirrorChange, len(src))
	}
	return c, nil
}

func (r *decoder) texts() []string {
	var texts []string
	for left := r.uvarint(); left > 0 && !r.bad; left-- {
		texts = append(texts, r.lengthPrefixed())
	}
	return texts
}

func (r *decoder) node() NodeFields {
	kind := r.octet()
	f := NodeFields{Dir: kind == nodeDir, Created: r.uvarint(), Modified: r.uvarint(), Expires: r.varint()}
	pathLen, valueLen := r.uvarint(), r.uvarint()
	if kind > nodeDir || pathLen > uint64(len(r.src)) || valueLen > uint64(len(r.src))-pathLen {
		r.fail()
		return NodeFields{}
	}
	text := r.text(pathLen + valueLen)
	f.Path, f.Value = text[:pathLen], text[pathLen:]
	return f
}

func (r *decoder) event() EventFields {
	e := EventFields{Action: Action(r.octet())}
	flags := r.octet()
	e.Refresh = flags&eventRefresh != 0
	e.Time = r.varint()
	e.Node = r.node()
	if flags&eventPrev != 0 {
		e.Prev = new(r.node())
	}
	if flags > eventRefresh|eventPrev {
		r.fail()
	}
	return e
}
