package tree

import (
	"strconv"
	"time"
)

// The API's JSON is written by appending: no reflection, no allocation but the
// growth of the slice. The bytes are those that clients have always seen: HTML
// characters escaped, invalid UTF-8 replaced. A large answer is handed over piece
// by piece on the way (see pieces), so that it needs no more memory than a small one.

func appendInt(dst []byte, v int64) []byte   { return strconv.AppendInt(dst, v, 10) }
func appendUint(dst []byte, v uint64) []byte { return strconv.AppendUint(dst, v, 10) }

// appendNode appends n as it is at now, with depth levels of children below
// it.
func appendNode(dst []byte, n *Node, now int64, depth int, p *pieces) []byte {
	dst = append(dst, '{')
	if n.Path() != "/" {
		dst = append(dst, `"key":`...)
		dst = n.appendText(dst, n.Path(), p)
		dst = append(dst, ',')
	}
	if n.IsDir() {
		dst = append(dst, `"dir":true`...)
	} else {
		dst = append(dst, `"value":`...)
		dst = n.appendText(dst, n.Value(), p)
	}
	dst = appendExpiry(dst, n, now)
	if n.IsDir() && depth > 0 {
		dst = appendChildren(dst, n, now, depth-1, p)
	}
	dst = appendIndexes(dst, n.modified, n.CreatedIndex())
	return append(dst, '}')
}

// appendRemoved appends the node of an event that took it away: it shows
// neither value nor expiry.
func appendRemoved(dst []byte, n *Node) []byte {
	dst = append(dst, `{"key":`...)
	dst = n.appendText(dst, n.Path(), nil)
	if n.IsDir() {
		dst = append(dst, `,"dir":true`...)
	}
	dst = appendIndexes(dst, n.modified, n.CreatedIndex())
	return append(dst, '}')
}

// appendText appends the path or the value of n as a JSON string.
func (n *Node) appendText(dst []byte, text string, p *pieces) []byte {
	if !n.verbatim || len(text) > longText {
		return n.appendParts(dst, text, p)
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}

// appendParts is appendText for any text. A long one is handed over on the way.
func (n *Node) appendParts(dst []byte, text string, p *pieces) []byte {
	dst = append(dst, '"')
	for p != nil && len(text) > longText {
		part := cutText(text)
		dst = p.spill(n.appendPart(dst, part))
		if text = text[len(part):]; p.refused() {
			return dst
		}
	}
	return append(n.appendPart(dst, text), '"')
}

func (n *Node) appendPart(dst []byte, text string) []byte {
	if n.verbatim {
		return append(dst, text...)
	}
	return appendEscapedText(dst, text)
}

func appendExpiry(dst []byte, n *Node, now int64) []byte {
	if n.expires == 0 {
		return dst
	}
	dst = append(dst, `,"expiration":"`...)
	dst = time.Unix(0, n.expires).UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, '"')
	if ttl := n.TTL(now); ttl != 0 {
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

// appendChildren appends the "nodes" of a directory, hidden ones left out;
// nothing at all when there are none to show.
func appendChildren(dst []byte, dir *Node, now int64, depth int, p *pieces) []byte {
	first := true
	offset := nameOffset(dir.Path())
	dir.directory().children.Scan(func(n *Node) bool {
		if hiddenName(n.Path()[offset:]) {
			return true
		}
		if first {
			dst = append(dst, `,"nodes":[`...)
			first = false
		} else {
			dst = append(dst, ',')
		}
		dst = appendNode(dst, n, now, depth, p)
		if p == nil {
			return true
		}
		dst = p.spill(dst)
		return !p.refused()
	})
	if !first {
		dst = append(dst, ']')
	}
	return dst
}
