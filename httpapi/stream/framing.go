package stream

import "strconv"

// Framing is the coding of a response body: the bytes around each part of it, such as an event with its Layout, and at the end. The
// methods append to dst and return it. Values must be stateless, because all streams share them.
type Framing interface {
	// Begin appends the text before a part of size bytes.
	Begin(dst []byte, size int) []byte
	// End appends the text after a part.
	End(dst []byte) []byte
	// Close appends the end of the body.
	Close(dst []byte) []byte
}

// The framings of a response body.
var (
	// Chunked is the chunked transfer coding of HTTP/1.1, with a chunk for each part.
	Chunked Framing = chunked{}
	// Raw adds nothing: the end of the connection ends the body, as in HTTP/1.0, or net/http frames the body.
	Raw Framing = raw{}
)

type chunked struct{}

func (chunked) Begin(dst []byte, size int) []byte {
	return append(strconv.AppendInt(dst, int64(size), 16), "\r\n"...)
}

func (chunked) End(dst []byte) []byte { return append(dst, "\r\n"...) }

func (chunked) Close(dst []byte) []byte { return append(dst, "0\r\n\r\n"...) }

type raw struct{}

func (raw) Begin(dst []byte, _ int) []byte { return dst }

func (raw) End(dst []byte) []byte { return dst }

func (raw) Close(dst []byte) []byte { return dst }
