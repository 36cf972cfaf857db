package tree

import "encoding/binary"

// decoder reads fields from the beginning of src. If a field is malformed, the decoder
// sets bad, and this field and all further ones are zero. So callers may check bad once,
// at the end.
type decoder struct {
	src []byte
	bad bool
}

func (r *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(r.src)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *decoder) varint() int64 {
	v, n := binary.Varint(r.src)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *decoder) octet() byte {
	if len(r.src) == 0 {
		r.fail()
		return 0
	}
	b := r.src[0]
	r.src = r.src[1:]
	return b
}

// text returns a copy of the next n bytes.
func (r *decoder) text(n uint64) string { return string(r.bytes(n)) }

// bytes returns the next n bytes, which share memory with src.
func (r *decoder) bytes(n uint64) []byte {
	if n > uint64(len(r.src)) {
		r.fail()
		return nil
	}
	b := r.src[:n]
	r.src = r.src[n:]
	return b
}

// lengthPrefixed reads a length n, and returns a copy of the next n bytes.
func (r *decoder) lengthPrefixed() string { return r.text(r.uvarint()) }

func (r *decoder) fail() { r.bad, r.src = true, nil }
