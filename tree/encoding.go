package tree

import "unicode/utf8"

// Encoding is a response, mostly in JSON, that is encoded when it is needed: as a whole (Append)
// or in pieces (Pieces). The bytes are the same each time, because nodes and events never
// change.
type Encoding struct {
	event *Event // nil for the response to a read of node or to a transaction
	node  *Node
	now   int64
	depth int
	list  *List // nil if the response shows depth levels below the node
	value bool  // the response is the value of the node, and no JSON
	txn   *TxnResult
}

// EncodeGet returns the response to a read of n, with a newline at the end. It shows
// depth levels of nodes below n, without hidden nodes. TTLs are computed for the time
// now, in nanoseconds since 1970.
func EncodeGet(n *Node, now int64, depth int) Encoding {
	return Encoding{node: n, now: now, depth: depth}
}

// EncodeValue returns the value of a file, byte for byte and without JSON.
func EncodeValue(n *Node) Encoding { return Encoding{node: n, value: true} }

// Encode returns the event as the v2 API sends it, with a newline at the end.
func (e *Event) Encode() Encoding { return Encoding{event: e} }

// Append appends the whole response.
func (e Encoding) Append(dst []byte) []byte { return e.append(dst, nil) }

// Pieces encodes the response into buf, which must be empty. Each time that the buffer
// holds PieceSize bytes or more, it passes them to write and empties the buffer. write
// must not keep the piece. Pieces returns the bytes that are left at the end: for a small
// response these are all bytes. After an error of write, Pieces returns this error and
// does not call write again.
func (e Encoding) Pieces(buf []byte, write func(piece []byte) error) (rest []byte, err error) {
	p := pieces{write: write}
	rest = e.append(buf, &p)
	return rest, p.err
}

// Size returns the length of the response in bytes. It encodes the response, so it takes
// as long as Pieces, and uses buf in the same way.
func (e Encoding) Size(buf []byte) int {
	size := 0
	rest, _ := e.Pieces(buf, func(piece []byte) error {
		size += len(piece)
		return nil
	})
	return size + len(rest)
}

func (e Encoding) append(dst []byte, p *pieces) []byte {
	switch {
	case e.event != nil:
		return e.event.appendJSON(dst, &format{now: e.event.time}, p)
	case e.value:
		return appendValue(dst, e.node.Value(), p)
	case e.txn != nil:
		return append(e.txn.appendJSON(dst, p), '\n')
	}
	dst = append(dst, `{"action":"get","node":`...)
	if e.list != nil {
		dst = e.list.append(dst, e.node, e.now, p)
	} else {
		dst = appendNode(dst, e.node, &format{now: e.now}, e.depth, p)
	}
	return append(dst, "}\n"...)
}

// appendValue appends a value as it is. It passes a long value to p in parts.
func appendValue(dst []byte, value string, p *pieces) []byte {
	for p != nil && len(value) > longText {
		dst = p.flush(append(dst, value[:longText]...))
		if value = value[longText:]; p.failed() {
			return dst
		}
	}
	return append(dst, value...)
}

// PieceSize is the smallest size of a piece (see Pieces). A piece may be twice as long,
// because text is added in parts of up to 24 KiB.
const PieceSize = 60 << 10

// pieces passes the pieces of an encoding to write.
type pieces struct {
	write func(piece []byte) error
	err   error // the first error of write
}

// flush passes the buffer to write if it is full, and returns the buffer for the next
// bytes. After an error it empties the buffer without calling write, so that the buffer
// does not grow until the encoding ends.
func (p *pieces) flush(dst []byte) []byte {
	if len(dst) < PieceSize {
		return dst
	}
	if p.err == nil {
		p.err = p.write(dst)
	}
	return dst[:0]
}

// failed reports whether write has returned an error. The encoding should end then.
func (p *pieces) failed() bool { return p.err != nil }

// longText is the largest number of bytes of text that are encoded at once.
const longText = 4 << 10

// cutText returns the first longText bytes of text, or up to 3 bytes less so that no UTF-8
// character is split. text must be longer than longText.
func cutText(text string) string {
	for back := range utf8.UTFMax {
		if utf8.RuneStart(text[longText-back]) {
			return text[:longText-back]
		}
	}
	return text[:longText]
}
