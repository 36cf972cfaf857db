package bench

import (
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
)

// A keyOrder is the order in which a client uses the keys.
type keyOrder int

const (
	randomKeys     keyOrder = iota // uniformly from the key space
	sequentialKeys                 // one after the other, from the beginning again at the end
)

// A keySpace is the set of keys of a load: count keys of size digits below prefix, spread evenly over dirs directories. It does not
// change while the load runs.
type keySpace struct {
	prefix string // the directory, with a slash at the beginning and none at the end
	size   int    // bytes of a key's last component
	count  uint64
	dirs   uint64 // with 1, the keys are in prefix itself
	order  keyOrder
}

// path returns the key of number i below /v2/keys, escaped for a request line.
func (s keySpace) path(i uint64) string {
	path := (&url.URL{Path: s.prefix}).EscapedPath()
	if s.dirs > 1 {
		path += "/" + padded(i%s.dirs, s.dirWidth())
	}
	return path + "/" + padded(i, s.size)
}

func (s keySpace) dirWidth() int { return len(strconv.FormatUint(s.dirs-1, 10)) }

// A picker chooses the keys of one client.
type picker struct {
	space  keySpace
	random *rand.Rand
}

// newPicker returns the picker of client n. The same n chooses the same keys in every run, so that two servers get the same load.
func newPicker(space keySpace, n int) picker {
	return picker{space: space, random: rand.New(rand.NewPCG(1, uint64(n)))}
}

// key returns the number of the key for operation op of the load.
func (p *picker) key(op uint64) uint64 {
	if p.space.order == sequentialKeys {
		return op % p.space.count
	}
	return p.random.Uint64N(p.space.count)
}

// A keyRequest is a request that is built once. Between two uses, only the digits of its key change.
type keyRequest struct {
	buf []byte
	dir []byte // inside buf; empty with one directory
	key []byte // inside buf
	mod uint64 // number of directories
}

// newKeyRequest builds a request for the keys of space. query is appended to the path as it is.
func newKeyRequest(ep *endpoint, space keySpace, method, query, body string) *keyRequest {
	path := "/v2/keys" + space.path(0)
	buf := appendRequest(nil, ep, method, path+query, body)
	end := len(method) + 1 + len(path)
	r := &keyRequest{buf: buf, key: buf[end-space.size : end], mod: space.dirs}
	if space.dirs > 1 {
		end -= space.size + 1
		r.dir = buf[end-space.dirWidth() : end]
	}
	return r
}

// at returns the request for key number i. The bytes are valid until the next call.
func (r *keyRequest) at(i uint64) []byte {
	putDigits(r.key, i)
	if len(r.dir) > 0 {
		putDigits(r.dir, i%r.mod)
	}
	return r.buf
}

// appendRequest appends a whole request. A body is sent as a form.
func appendRequest[T string | []byte](buf []byte, ep *endpoint, method string, uri T, body string) []byte {
	buf = append(buf, method...)
	buf = append(buf, ' ')
	buf = append(buf, uri...)
	buf = append(buf, " HTTP/1.1\r\n"...)
	buf = append(buf, ep.header...)
	if body != "" {
		buf = append(buf, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "...)
		buf = strconv.AppendInt(buf, int64(len(body)), 10)
		buf = append(buf, "\r\n"...)
	}
	buf = append(buf, "\r\n"...)
	return append(buf, body...)
}

// putDigits writes n into dst in decimal, with leading zeros.
func putDigits(dst []byte, n uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
}

func padded(n uint64, width int) string {
	digits := make([]byte, width)
	putDigits(digits, n)
	return string(digits)
}

// newValue returns a value of size bytes that needs no escaping in a form and does not compress well.
func newValue(size int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	random := rand.New(rand.NewPCG(2, uint64(size)))
	var b strings.Builder
	for range size {
		b.WriteByte(alphabet[random.IntN(len(alphabet))])
	}
	return b.String()
}
