package tree

import "unicode/utf8"

const hexDigits = "0123456789abcdef"

// plainByte is true for the ASCII characters that need no escape in a JSON string.
var plainByte = func() (t [utf8.RuneSelf]bool) {
	for b := range t {
		t[b] = b >= ' ' && b != '"' && b != '\\' && b != '<' && b != '>' && b != '&'
	}
	return t
}()

// Words of eight equal bytes.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// plainPrefix returns the number of ASCII characters at the beginning of s that need no
// escape. It tests eight bytes at a time as one word: each subtraction sets the high bit
// of every byte that needs an escape, and sometimes also of the next higher byte. It tests
// the last bytes one by one.
func plainPrefix(s string) int {
	n := 0
	for ; n+8 <= len(s); n += 8 {
		b := s[n : n+8]
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		control := w - ' '*ones
		quoteAmpersand := (w&(0xfb*ones) ^ '"'*ones) - ones // the two differ in one bit
		lessGreater := (w | 0x02*ones ^ '>'*ones) - ones    // the two differ in one bit
		backslash := (w ^ '\\'*ones) - ones
		if (w|control|quoteAmpersand|lessGreater|backslash)&highs != 0 {
			break
		}
	}
	for n < len(s) && s[n] < utf8.RuneSelf && plainByte[s[n]] {
		n++
	}
	return n
}

// isVerbatim reports whether s consists of ASCII characters that need no escape.
func isVerbatim(s string) bool { return plainPrefix(s) == len(s) }

// appendString appends s as a JSON string.
func appendString(dst []byte, s string) []byte {
	return append(appendEscapedText(append(dst, '"'), s), '"')
}

// appendEscapedText appends s with escapes, without the quotes of a JSON string.
func appendEscapedText(dst []byte, s string) []byte {
	start := 0
	for i := plainPrefix(s); i < len(s); {
		b := s[i]
		if b < utf8.RuneSelf {
			if plainByte[b] {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			dst = appendEscaped(dst, b)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029':
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\u202`...)
			dst = append(dst, hexDigits[r&0xf])
			start = i + size
		}
		i += size
	}
	return append(dst, s[start:]...)
}

func appendEscaped(dst []byte, b byte) []byte {
	switch b {
	case '"', '\\':
		return append(dst, '\\', b)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&0xf])
}
