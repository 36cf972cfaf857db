package tree

import "unicode/utf8"

// Encoding is an answer in JSON that is not written yet. It can be written many times,
// whole or in pieces. The bytes are the same each time, because what it shows never
// changes.
type Encoding struct {
	event *Event // nil for the answer to a read of node
	node  *Node
	now   int64
	depth int
}

// EncodeGet encodes the answer to a read of n, with a newline at the end. It shows
// depth levels of nodes below n, hidden ones left out, and TTLs as of now, in
// nanoseconds since 1970.
func EncodeGet(n *Node, now int64, depth int) Encoding {
	return Encoding{node: n, now: now, depth: depth}
}

// Encode encodes the event as the v2 API sends it, with a newline at the end.
func (e *Event) Encode() Encoding { return Encoding{event: e} }

// Append appends the whole answer.
func (e Encoding) Append(dst []byte) []byte { return e.append(dst, nil) }

// Pieces writes the answer into buf, which must be empty, and passes the buffer to
// write each time that it holds PieceSize bytes or more. write must not keep the
// piece. Pieces returns the bytes that are left in the buffer at the end, which is the
// whole of a small answer. After an error of write it calls write no more and returns
// the error.
func (e Encoding) Pieces(buf []byte, write func(piece []byte) error) (rest []byte, err error) {
	p := pieces{write: write}
	rest = e.append(buf, &p)
	return rest, p.err
}

// Size is the length of the answer in bytes. It takes as long as encoding the answer.
// buf is used as in Pieces.
func (e Encoding) Size(buf []byte) int {
	size := 0
	rest, _ := e.Pieces(buf, func(piece []byte) error {
		size += len(piece)
		return nil
	})
	return size + len(rest)
}

func (e Encoding) append(dst []byte, p *pieces) []byte {
	if e.event != nil {
		return e.event.appendJSON(dst, p)
	}
	dst = append(dst, `{"action":"get","node":`...)
	dst = appendNode(dst, e.node, e.now, e.depth, p)
	return append(dst, "}\n"...)
}

// PieceSize is the size from which Pieces passes its buffer on. A piece may be twice as
// long: a long text that must be escaped is added in parts of up to 24 KiB.
const PieceSize = 60 << 10

// pieces passes on the buffer of an encoding that is written in pieces.
type pieces struct {
	write func(piece []byte) error
	err   error // the first error of write
}

// flush passes on a buffer that is full, and returns the buffer to go on with. After
// an error it empties the buffer all the same, so that the buffer does not grow while
// the encoding returns.
func (p *pieces) flush(dst []byte) []byte {
	if len(dst) < PieceSize {
		return dst
	}
	if p.err == nil {
		p.err = p.write(dst)
	}
	return dst[:0]
}

// failed reports whether write returned an error: the encoding can end.
func (p *pieces) failed() bool { return p.err != nil }

// longText is the number of bytes of text that are encoded at once.
const longText = 4 << 10

// cutText returns the first part of a text that is longer than longText. It does not
// split a character; in text that is not UTF-8 each byte is a character.
func cutText(text string) string {
	for back := range utf8.UTFMax {
		if utf8.RuneStart(text[longText-back]) {
			return text[:longText-back]
		}
	}
	return text[:longText]
}
