package v2

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonReader reads JSON of a known form strictly: a value must have exactly the type that the caller asks for, names are compared byte for
// byte, and what no text can represent is an error instead of U+FFFD. It keeps the first error, after which all methods return zero values
// at once. It has no recursion, so the depth of the text does not matter.
//
// encoding/json is not strict enough: it ignores the case of names, uses the last of two members with the same name, accepts null for each
// type, and replaces an unpaired surrogate by U+FFFD. Another key or value than the client meant would be stored. Its errors do not name
// the element of a list, either. encoding/json/jsontext is strict, but Go has it only as an experiment.
type jsonReader struct {
	text string
	at   int // the number of bytes that were read
	err  error
}

// newJSONReader returns a reader of a text.
func newJSONReader(text string) jsonReader {
	r := jsonReader{text: text}
	if !utf8.ValidString(text) {
		r.fail("it is not valid UTF-8")
	}
	return r
}

// fail records an error at the current position, unless there was one before.
func (r *jsonReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("at byte %d: "+format, append([]any{r.at}, args...)...)
	}
}

// skipSpace skips white space.
func (r *jsonReader) skipSpace() {
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
}

// take skips white space and then the byte b, if it follows. Otherwise it returns false.
func (r *jsonReader) take(b byte) bool {
	r.skipSpace()
	if r.err != nil || r.at == len(r.text) || r.text[r.at] != b {
		return false
	}
	r.at++
	return true
}

// expect is take for a byte that must follow.
func (r *jsonReader) expect(b byte, what string) {
	if !r.take(b) {
		r.fail("expected %s", what)
	}
}

// end checks that nothing follows.
func (r *jsonReader) end() {
	if r.skipSpace(); r.at < len(r.text) {
		r.fail("something follows the end of the object")
	}
}

// object reads an object. For each member it calls member, which must read the value.
func (r *jsonReader) object(member func(name string)) {
	r.expect('{', "an object, which begins with {")
	for first := true; r.err == nil && !r.take('}'); first = false {
		if !first {
			r.expect(',', "a comma or } after a member of an object")
		}
		name := r.str()
		r.expect(':', "a colon after the name of a member")
		if r.err == nil {
			member(name)
		}
	}
}

// array reads an array. For each element it calls element, which must read the value.
func (r *jsonReader) array(element func(i int)) {
	r.expect('[', "an array, which begins with [")
	for i := 0; r.err == nil && !r.take(']'); i++ {
		if i > 0 {
			r.expect(',', "a comma or ] after an element of an array")
		}
		if r.err == nil {
			element(i)
		}
	}
}

// boolean reads true or false.
func (r *jsonReader) boolean() bool {
	if r.err != nil {
		return false
	}
	r.skipSpace()
	value := strings.HasPrefix(r.text[r.at:], "true")
	switch {
	case value:
		r.at += len("true")
	case strings.HasPrefix(r.text[r.at:], "false"):
		r.at += len("false")
	default:
		r.fail("expected true or false")
	}
	return value
}

// uint reads a number without sign, fraction and exponent.
func (r *jsonReader) uint() uint64 {
	r.skipSpace()
	start := r.at
	if r.err != nil {
		return 0
	}
	for r.at < len(r.text) && strings.IndexByte("0123456789+-.eE", r.text[r.at]) >= 0 {
		r.at++
	}
	digits := r.text[start:r.at]
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || digits[0] == '+' || digits[0] == '0' && len(digits) > 1 {
		r.at = start
		r.fail("expected a whole number from 0 to 18446744073709551615, without quotes")
		return 0
	}
	return n
}

// str reads a string. Without escapes the result shares memory with the text.
func (r *jsonReader) str() string {
	r.expect('"', "a string, which begins with a double quote")
	if r.err != nil {
		return ""
	}
	start := r.at
	for ; r.at < len(r.text); r.at++ {
		switch b := r.text[r.at]; {
		case b == '"':
			r.at++
			return r.text[start : r.at-1]
		case b == '\\':
			return r.escaped(start)
		case b < ' ':
			r.fail("a string has a control character, which must be escaped")
			return ""
		}
	}
	r.fail("a string does not end")
	return ""
}

// escaped reads the rest of a string from its first escape on. start is the position of its first byte.
func (r *jsonReader) escaped(start int) string {
	var b strings.Builder
	for {
		end := strings.IndexFunc(r.text[r.at:], func(c rune) bool { return c == '"' || c == '\\' || c < ' ' })
		if end < 0 {
			r.at = len(r.text)
			r.fail("a string does not end")
			return ""
		}
		b.WriteString(r.text[start : r.at+end])
		r.at += end
		switch r.text[r.at] {
		case '"':
			r.at++
			return b.String()
		case '\\':
			b.WriteRune(r.escape())
		default:
			r.fail("a string has a control character, which must be escaped")
		}
		if r.err != nil {
			return ""
		}
		start = r.at
	}
}

// escape reads an escape, which begins with a backslash.
func (r *jsonReader) escape() rune {
	const letters, meanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if r.at+1 < len(r.text) {
		if i := strings.IndexByte(letters, r.text[r.at+1]); i >= 0 {
			r.at += 2
			return rune(meanings[i])
		}
	}
	c, ok := r.unit()
	if ok && utf16.IsSurrogate(c) {
		var second rune
		if second, ok = r.unit(); ok {
			c = utf16.DecodeRune(c, second)
			ok = c != utf8.RuneError
		}
	}
	if !ok {
		r.fail(`an escape is invalid: allowed are \" \\ \/ \b \f \n \r \t and \u with 4 hexadecimal digits, in pairs for surrogates`)
	}
	return c
}

// unit reads \u and 4 hexadecimal digits.
func (r *jsonReader) unit() (rune, bool) {
	if len(r.text)-r.at < 6 || r.text[r.at:r.at+2] != `\u` {
		return 0, false
	}
	c, err := strconv.ParseUint(r.text[r.at+2:r.at+6], 16, 16)
	if err != nil {
		return 0, false
	}
	r.at += 6
	return rune(c), true
}
