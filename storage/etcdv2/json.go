package etcdv2

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// scanner reads the JSON of a snapshot, one value after the other, without a copy of all of it. It accepts what encoding/json
// writes. After an error, all methods return zero values.
type scanner struct {
	data []byte
	at   int
	err  error
}

// maxDepth is how deep values may be nested, so that a forged file can't exhaust the stack.
const maxDepth = 100_000

func (s *scanner) fail(text string) {
	if s.err == nil {
		s.err = fmt.Errorf("byte %d of the JSON: %s", s.at, text)
	}
}

// peek returns the next byte that is no white space, without reading it. At the end it returns 0.
func (s *scanner) peek() byte {
	for s.err == nil && s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// accept reads the next byte if it is c.
func (s *scanner) accept(c byte) bool {
	if s.peek() != c || s.err != nil {
		return false
	}
	s.at++
	return true
}

func (s *scanner) expect(c byte) {
	if !s.accept(c) {
		s.fail(fmt.Sprintf("%q is missing", c))
	}
}

// object reads an object, or null. It calls member with each name; member must read the value.
func (s *scanner) object(member func(name string)) {
	s.list('{', '}', func() {
		name := s.text()
		s.expect(':')
		if s.err == nil {
			member(name)
		}
	})
}

// member reads an object, or null. It calls read for the member with a name; read must read the value.
func (s *scanner) member(name string, read func()) {
	s.object(func(other string) {
		if other == name {
			read()
		} else {
			s.skip(0)
		}
	})
}

// array reads an array, or null. It calls element for each element; element must read it.
func (s *scanner) array(element func()) { s.list('[', ']', element) }

// list reads null, or the elements between two brackets. It calls element for each element; element must read it.
func (s *scanner) list(first, last byte, element func()) {
	if s.null() {
		return
	}
	s.expect(first)
	if s.accept(last) {
		return
	}
	for s.err == nil {
		element()
		if s.accept(last) {
			return
		}
		s.expect(',')
	}
}

// null reads null, if it is next.
func (s *scanner) null() bool { return s.peek() == 'n' && s.word("null") }

func (s *scanner) word(word string) bool {
	if s.err == nil && bytes.HasPrefix(s.data[s.at:], []byte(word)) {
		s.at += len(word)
		return true
	}
	return false
}

func (s *scanner) boolean() bool {
	switch s.peek() {
	case 't':
		if s.word("true") {
			return true
		}
	case 'f':
		if s.word("false") {
			return false
		}
	}
	s.fail("true or false is missing")
	return false
}

// text reads a string.
func (s *scanner) text() string {
	if s.peek() != '"' {
		s.fail("a string is missing")
	}
	if s.err != nil {
		return ""
	}
	end, plain := s.at+1, true
	for ; end < len(s.data) && s.data[end] != '"'; end++ {
		switch c := s.data[end]; {
		case c == '\\':
			plain = false
			end++
		case c < ' ':
			s.fail("a control character in a string")
			return ""
		}
	}
	if end >= len(s.data) {
		s.fail("a string does not end")
		return ""
	}
	quoted := s.data[s.at : end+1]
	if inner := quoted[1 : len(quoted)-1]; plain && utf8.Valid(inner) {
		s.at = end + 1
		return string(inner)
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		s.fail("a string can't be decoded")
		return ""
	}
	s.at = end + 1
	return text
}

// digits returns the number that is next, as text.
func (s *scanner) digits() string {
	s.peek()
	start := s.at
	for s.err == nil && s.at < len(s.data) && bytes.IndexByte([]byte("+-.0123456789eE"), s.data[s.at]) >= 0 {
		s.at++
	}
	return string(s.data[start:s.at])
}

func (s *scanner) unsigned() uint64 {
	n, err := strconv.ParseUint(s.digits(), 10, 64)
	if err != nil {
		s.fail("a number is missing")
	}
	return n
}

func (s *scanner) signed() int64 {
	n, err := strconv.ParseInt(s.digits(), 10, 64)
	if err != nil {
		s.fail("a number is missing")
	}
	return n
}

// skip reads any value.
func (s *scanner) skip(depth int) {
	if depth > maxDepth {
		s.fail("values are nested too deep")
		return
	}
	switch c := s.peek(); {
	case s.err != nil:
	case c == '{':
		s.object(func(string) { s.skip(depth + 1) })
	case c == '[':
		s.array(func() { s.skip(depth + 1) })
	case c == '"':
		s.text()
	case c == 't' || c == 'f':
		s.boolean()
	case s.null():
	default:
		if s.digits() == "" {
			s.fail("a value is missing")
		}
	}
}
