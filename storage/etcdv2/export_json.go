package etcdv2

import (
	"encoding/json"
	"io"
	"strconv"
	"time"
	"unicode/utf8"
)

// jsonBuffer writes JSON with the escapes of encoding/json. After an error it writes nothing.
type jsonBuffer struct {
	w    io.Writer
	buf  []byte
	last byte // the last one before buf
	err  error
}

// flushBytes is how many bytes a jsonBuffer keeps before it writes them.
const flushBytes = 64 << 10

func (b *jsonBuffer) flush() {
	if len(b.buf) > 0 {
		b.last = b.buf[len(b.buf)-1]
	}
	if b.err == nil {
		_, b.err = b.w.Write(b.buf)
	}
	b.buf = b.buf[:0]
}

// comma adds a comma, unless an object or an array has just begun.
func (b *jsonBuffer) comma() {
	last := b.last
	if len(b.buf) > 0 {
		last = b.buf[len(b.buf)-1]
	}
	if last != '{' && last != '[' {
		b.raw(",")
	}
}

// name adds the name of the next member of an object, with a comma before it unless it is the first one.
func (b *jsonBuffer) name(name string) {
	b.comma()
	b.text("", name)
	b.raw(":")
}

// raw adds JSON.
func (b *jsonBuffer) raw(text string) {
	if b.buf = append(b.buf, text...); len(b.buf) >= flushBytes {
		b.flush()
	}
}

// number adds raw JSON and a number.
func (b *jsonBuffer) number(before string, n uint64) {
	b.raw(before)
	b.buf = strconv.AppendUint(b.buf, n, 10)
}

// text adds raw JSON and a string.
func (b *jsonBuffer) text(before, text string) {
	b.raw(before)
	if isPlain(text) {
		b.buf = append(b.buf, '"')
		b.raw(text)
		b.buf = append(b.buf, '"')
		return
	}
	quoted, _ := json.Marshal(text) // never fails for a string
	b.raw(string(quoted))
}

// isPlain reports whether a text needs no escapes in JSON.
func isPlain(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c >= utf8.RuneSelf, c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

// time adds raw JSON and a point in time; zero stands for the zero time of Go.
func (b *jsonBuffer) time(before string, nanoseconds int64) {
	at := time.Time{}
	if nanoseconds != 0 {
		at = time.Unix(0, nanoseconds).UTC()
	}
	b.raw(before)
	b.buf = append(b.buf, '"')
	b.buf = at.AppendFormat(b.buf, time.RFC3339Nano)
	b.buf = append(b.buf, '"')
}
