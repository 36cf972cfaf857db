package tree

import "unicode/utf8"

// Encoding is an answer in JSON that is not written yet. It can be written as
// often as need be, whole or in pieces: what it shows never changes, so the bytes
// are the same each time.
type Encoding struct {
	event *Event // or else a read of node
	node  *Node
	now   int64
	depth int
}

// EncodeGet is the answer to a read of n, which shows depth levels below it, with
// TTLs as of now (nanoseconds since 1970) and the newline at the end.
func EncodeGet(n *Node, now int64, depth int) Encoding {
	return Encoding{node: n, now: now, depth: depth}
}

// Encode is the event as the API sends it, with the newline at the end.
func (e *Event) Encode() Encoding { return Encoding{event: e} }

// Append appends the whole answer.
func (e Encoding) Append(dst []byte) []byte { return e.append(dst, nil) }

// Pieces writes the answer into buf, an empty slice, and hands that to take whenever
// it is full; take must not keep it. It gives what then is left in the buffer, the
// whole of a small answer. After an error of take nothing more is handed over, and the
// error returned.
func (e Encoding) Pieces(buf []byte, take func(piece []byte) error) (rest []byte, err error) {
	p := pieces{take: take}
	rest = e.append(buf, &p)
	return rest, p.err
}

// Size is the length of the answer. It takes as long as writing the answer does.
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

// PieceSize is how many bytes a buffer holds at least when it is handed over. It may
// hold twice as many: a long text that must be escaped comes in parts of up to 24 KiB.
const PieceSize = 60 << 10

// pieces hands over the buffer of an encoding that is under way.
type pieces struct {
	take func(piece []byte) error
	err  error // of take
}

// spill hands a full buffer over, and gives an empty one. After an error the buffer
// is emptied all the same, so that it does not grow on the way out.
func (p *pieces) spill(dst []byte) []byte {
	if len(dst) < PieceSize {
		return dst
	}
	if p.err == nil {
		p.err = p.take(dst)
	}
	return dst[:0]
}

// refused reports whether nobody wants the rest.
func (p *pieces) refused() bool { return p.err != nil }

// longText is how much text is encoded at once.
const longText = 4 << 10

// cutText gives the first part of a text that is longer than longText. It does not
// split a character: where the text is not UTF-8, each byte is a character.
func cutText(text string) string {
	for back := range utf8.UTFMax {
		if utf8.RuneStart(text[longText-back]) {
			return text[:longText-back]
		}
	}
	return text[:longText]
}
