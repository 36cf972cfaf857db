package users

import "encoding/binary"

// decoder reads fields from the beginning of src. If a field is malformed, the decoder sets
// bad, and this field and all later ones are zero. So callers may check bad once, after the
// last field.
type decoder struct {
	src []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.src)
	if n <= 0 || n > 1 && d.src[n-1] == 0 { // a longer encoding than necessary is malformed
		d.fail()
		return 0
	}
	d.src = d.src[n:]
	return v
}

// flag reads a byte that is 0 or 1.
func (d *decoder) flag() bool {
	v := d.octet()
	if v > 1 {
		d.fail()
	}
	return v == 1
}

func (d *decoder) octet() byte {
	if len(d.src) == 0 {
		d.fail()
		return 0
	}
	b := d.src[0]
	d.src = d.src[1:]
	return b
}

// text reads a length, and returns a copy of the bytes that follow it.
func (d *decoder) text() string {
	n := d.uvarint()
	if n > uint64(len(d.src)) {
		d.fail()
		return ""
	}
	s := string(d.src[:n])
	d.src = d.src[n:]
	return s
}

// count reads the length of a list. Each element takes at least one byte, so a length that is
// larger than the rest is malformed.
func (d *decoder) count() (n int, isNil bool) {
	v := d.uvarint()
	if v == 0 {
		return 0, true
	}
	if v-1 > uint64(len(d.src)) {
		d.fail()
		return 0, true
	}
	return int(v - 1), false
}

// decodeList reads a list whose elements the function element reads.
func decodeList[T any](d *decoder, element func() T) []T {
	n, isNil := d.count()
	if isNil {
		return nil
	}
	list := make([]T, 0, min(n, listCapacity))
	for range n {
		list = append(list, element())
		if d.bad {
			return nil
		}
	}
	return list
}

// listCapacity is the largest number of elements for which memory is reserved before they are read.
const listCapacity = 1024

func (d *decoder) texts() []string { return decodeList(d, d.text) }

func (d *decoder) permissions() Permissions {
	return Permissions{Read: decodeList(d, d.keyRange), Write: decodeList(d, d.keyRange)}
}

// The forms of a range. Each range is stored in the first form that can express it.
const (
	formKey      = 0 // From: the range has this key only
	formPrefix   = 1 // From: the range has all keys that begin with it
	formInterval = 2 // From and To
)

func (d *decoder) keyRange() Range {
	form := d.octet()
	from := d.text()
	switch form {
	case formKey:
		return Range{from, from + "\x00"}
	case formPrefix:
		return Range{from, PrefixEnd(from)}
	case formInterval:
		r := Range{from, d.text()}
		if r.IsKey() || r.To == PrefixEnd(from) { // another form can express it
			d.fail()
		}
		return r
	}
	d.fail()
	return Range{}
}

func (d *decoder) fail() { d.bad, d.src = true, nil }

// The following functions append the fields that a decoder reads.

func appendFlag(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// appendCount appends the length of a list: zero for a nil list, one more than the length for
// any other.
func appendCount[T any](dst []byte, list []T) []byte {
	if list == nil {
		return append(dst, 0)
	}
	return binary.AppendUvarint(dst, uint64(len(list))+1)
}

func appendTexts(dst []byte, list []string) []byte {
	dst = appendCount(dst, list)
	for _, s := range list {
		dst = appendText(dst, s)
	}
	return dst
}

func appendPermissions(dst []byte, p *Permissions) []byte {
	for _, list := range [...][]Range{p.Read, p.Write} {
		dst = appendCount(dst, list)
		for _, r := range list {
			dst = appendRange(dst, r)
		}
	}
	return dst
}

func appendRange(dst []byte, r Range) []byte {
	switch {
	case r.IsKey():
		return appendText(append(dst, formKey), r.From)
	case r.To == PrefixEnd(r.From):
		return appendText(append(dst, formPrefix), r.From)
	}
	return appendText(appendText(append(dst, formInterval), r.From), r.To)
}
