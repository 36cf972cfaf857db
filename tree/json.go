package tree

import (
	"strconv"
	"time"
)

// The functions of this file append the JSON of the v2 API to a slice, without
// reflection. The bytes are those of etcd: HTML characters are escaped, and invalid UTF-8
// is replaced. A large response is written in pieces (see pieces), so it needs no more
// memory than a small one. If p is nil, the response is written as a whole.

func appendInt(dst []byte, v int64) []byte   { return strconv.AppendInt(dst, v, 10) }
func appendUint(dst []byte, v uint64) []byte { return strconv.AppendUint(dst, v, 10) }

// format says which parts of nodes are shown.
type format struct {
	now      int64 // TTLs are computed for this time
	keysOnly bool  // values are left out
	hidden   bool  // hidden nodes are shown, too
}

// appendNode appends n with depth levels of nodes below it.
func appendNode(dst []byte, n *Node, f *format, depth int, p *pieces) []byte {
	dst = appendHead(dst, n, f, p)
	if n.IsDir() && depth > 0 {
		dst = appendChildren(dst, n, f, depth-1, p)
	}
	dst = appendIndexes(dst, n.ModifiedIndex(), n.CreatedIndex())
	return append(dst, '}')
}

// appendHead appends the fields of n that come before its "nodes".
func appendHead(dst []byte, n *Node, f *format, p *pieces) []byte {
	dst = append(dst, '{')
	if n.Path() != "/" {
		dst = append(dst, `"key":`...)
		dst = n.appendText(dst, n.Path(), p)
		dst = append(dst, ',')
	}
	switch {
	case n.IsDir():
		dst = append(dst, `"dir":true`...)
	case f.keysOnly:
		dst = dst[:len(dst)-1] // the comma after the key: a file always has one, and another field follows
	default:
		dst = append(dst, `"value":`...)
		dst = n.appendText(dst, n.Value(), p)
	}
	return appendExpiry(dst, n, f.now)
}

// appendRemoved appends the node of a removal, without value and expiry.
func appendRemoved(dst []byte, n *Node) []byte {
	dst = append(dst, `{"key":`...)
	dst = n.appendText(dst, n.Path(), nil)
	if n.IsDir() {
		dst = append(dst, `,"dir":true`...)
	}
	dst = appendIndexes(dst, n.ModifiedIndex(), n.CreatedIndex())
	return append(dst, '}')
}

// appendText appends a text, which must be the path or the value of n, as a JSON string.
func (n *Node) appendText(dst []byte, text string, p *pieces) []byte {
	if !n.verbatim() || len(text) > longText {
		return n.appendParts(dst, text, p)
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}

// appendParts is appendText for text that needs escapes or is long. It passes a long text
// to p in parts.
func (n *Node) appendParts(dst []byte, text string, p *pieces) []byte {
	dst = append(dst, '"')
	for p != nil && len(text) > longText {
		part := cutText(text)
		dst = p.flush(n.appendPart(dst, part))
		if text = text[len(part):]; p.failed() {
			return dst
		}
	}
	return append(n.appendPart(dst, text), '"')
}

func (n *Node) appendPart(dst []byte, text string) []byte {
	if n.verbatim() {
		return append(dst, text...)
	}
	return appendEscapedText(dst, text)
}

func appendExpiry(dst []byte, n *Node, now int64) []byte {
	if n.Expires() == 0 {
		return dst
	}
	dst = append(dst, `,"expiration":"`...)
	dst = time.Unix(0, n.Expires()).UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, '"')
	if ttl := n.ttl(now); ttl != 0 {
		dst = append(dst, `,"ttl":`...)
		dst = appendInt(dst, ttl)
	}
	return dst
}

func appendIndexes(dst []byte, modified, created uint64) []byte {
	if modified != 0 {
		dst = append(dst, `,"modifiedIndex":`...)
		dst = appendUint(dst, modified)
	}
	if created != 0 {
		dst = append(dst, `,"createdIndex":`...)
		dst = appendUint(dst, created)
	}
	return dst
}

// appendChildren appends the "nodes" of a directory: the children that are not hidden, or all
// of them. If there are none, it appends nothing.
func appendChildren(dst []byte, dir *Node, f *format, depth int, p *pieces) []byte {
	first := true
	offset := nameOffset(dir.Path())
	dir.directory().children.Scan(func(n *Node) bool {
		if !f.hidden && hiddenName(n.Path()[offset:]) {
			return true
		}
		if first {
			dst = append(dst, `,"nodes":[`...)
			first = false
		} else {
			dst = append(dst, ',')
		}
		dst = appendNode(dst, n, f, depth, p)
		if p == nil {
			return true
		}
		dst = p.flush(dst)
		return !p.failed()
	})
	if !first {
		dst = append(dst, ']')
	}
	return dst
}
