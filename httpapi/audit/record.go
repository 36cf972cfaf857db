package audit

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// Record describes one operation. It must not contain a value of a key, a password or a token.
type Record struct {
	// Time is when the operation ended. Log.Record sets it if it is zero.
	Time time.Time
	// Remote is the address of the connection: of the client, or of the proxy that passed the request on.
	Remote string
	// Forwarded is the address that a proxy has reported for its client. Any client can send this header, so it proves nothing.
	Forwarded string
	// Principal is the name of the user that the credentials have proven, or that a failed login has claimed. It is empty for a
	// request without credentials, and for the name of no user, which may be a password that was typed in the wrong place.
	Principal string
	// Proof is the kind of the credentials: anonymous, password or certificate. It is empty if auth is disabled, and for a failed
	// login.
	Proof string
	// Operation is the name of the operation, such as get, set or member_add.
	Operation string
	// Key is the path of the node, or the name of the user, role or member that the operation concerns.
	Key string
	// ForwardedTo is the client URL of the etcd that the cluster follows and that has answered the operation. It is empty if the operation
	// was not forwarded.
	ForwardedTo string
	// Index is the index of the change, or of the state that was read; 0 after an error.
	Index uint64
	// Outcome is OK, Denied or Failed.
	Outcome Outcome
	// Reason is the reason of an outcome other than OK. It must not be the cause of a *tree.Error of a key, because the cause of a
	// failed comparison contains values.
	Reason string
	// Read is true if the operation changes nothing.
	Read bool
	// Omitted is the number of similar records that were left out before this one. See Sampler.
	Omitted uint64
}

// Outcome is how an operation ended.
type Outcome string

// The outcomes.
const (
	OK     Outcome = "ok"
	Denied Outcome = "denied" // the credentials are wrong or insufficient
	Failed Outcome = "failed" // any other error, such as a missing key
)

// Recorder receives one Record for each operation. Record may be called from any goroutine. It must not block for long.
type Recorder interface {
	Record(r Record)
}

// The lengths in bytes to which texts in a line are cut, because clients choose the texts.
const (
	maxKey  = 16 << 10 // the longest path of a node
	maxText = 512
)

// timeLayout is the layout of times in the process' log, with microseconds.
const timeLayout = "2006-01-02T15:04:05.000000Z07:00"

// appendLine appends the record as one line of JSON. Fields without a value are left out.
func (r *Record) appendLine(b []byte) []byte {
	b = append(b, `{"time":"`...)
	b = r.Time.AppendFormat(b, timeLayout)
	b = append(b, '"')
	for _, f := range [...]struct{ name, value string }{
		{"remote", r.Remote}, {"forwarded", r.Forwarded}, {"principal", r.Principal}, {"proof", r.Proof}, {"operation", r.Operation},
	} {
		b = appendField(b, f.name, f.value, maxText)
	}
	b = appendField(b, "key", r.Key, maxKey)
	b = appendField(b, "forwarded_to", r.ForwardedTo, maxText)
	b = appendNumber(b, "index", r.Index)
	b = appendField(b, "outcome", string(r.Outcome), maxText)
	b = appendField(b, "reason", r.Reason, maxText)
	b = appendNumber(b, "omitted", r.Omitted)
	return append(b, '}', '\n')
}

// appendField appends a field with a text, unless the text is empty.
func appendField(b []byte, name, value string, longest int) []byte {
	if value == "" {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return appendText(b, value, longest)
}

// appendNumber appends a field with a number, unless the number is 0.
func appendNumber(b []byte, name string, n uint64) []byte {
	if n == 0 {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return strconv.AppendUint(b, n, 10)
}

const hexDigits = "0123456789abcdef"

// appendText appends a JSON string in ASCII. Control characters, characters outside of ASCII and bytes that are not UTF-8 are escaped:
// a name can neither begin a new line nor change a terminal. A text of more than longest bytes is cut and ends with "...".
func appendText(b []byte, s string, longest int) []byte {
	cut := len(s) > longest
	if cut {
		s = s[:longest]
	}
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
			i++
		case c >= ' ' && c < 0x7f:
			b = append(b, c)
			i++
		case c < utf8.RuneSelf:
			b = appendUnicode(b, rune(c))
			i++
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if r >= 0x10000 { // JSON writes such a character as two surrogates
				r -= 0x10000
				b = appendUnicode(b, 0xd800+r>>10)
				r = 0xdc00 + r&0x3ff
			}
			b = appendUnicode(b, r)
			i += size
		}
	}
	if cut {
		b = append(b, "..."...)
	}
	return append(b, '"')
}

// appendUnicode appends the escape of a character: \u and four hexadecimal digits.
func appendUnicode(b []byte, r rune) []byte {
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
