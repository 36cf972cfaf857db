package tree

import "encoding/binary"

// reader takes fields from the head of src. After the first field that does
// not fit, bad is set and every further field is zero, so a decoder checks
// once at its end.
type reader struct {
	src []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.src)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.src)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *reader) octet() byte {
	if len(r.src) == 0 {
		r.fail()
		return 0
	}
	b := r.src[0]
	r.src = r.src[1:]
	return b
}

// text copies the next n bytes.
func (r *reader) text(n uint64) string { return string(r.bytes(n)) }

// bytes gives the next n bytes, which stay part of src.
func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.src)) {
		r.fail()
		return nil
	}
	b := r.src[:n]
	r.src = r.src[n:]
	return b
}

// counted copies the bytes that a length in front of them announces.
func (r *reader) counted() string { return r.text(r.uvarint()) }

func (r *reader) fail() { r.bad, r.src = true, nil }
