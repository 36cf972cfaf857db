package rpc

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const httpOK = "200"

// head has the decoded headers of a request.
type head struct {
	method  Method
	base    context.Context // has the metadata
	timeout time.Duration   // negative if there is none
	// encoding is the compression of the messages; empty for none.
	encoding string
	// refused is the status of a request whose handler must not run, and httpStatus the HTTP status of its response. refused is nil if the
	// handler may run.
	refused    error
	httpStatus string
	// bytes is about the memory of a call with these headers while it is open.
	bytes int
	// malformed says that the request breaks the rules of HTTP/2.
	malformed bool
}

// headCache has the heads that a connection has decoded last. A client sends most of its requests with the same headers, as references to
// the table of HPACK. As long as the table does not change, equal references have equal meanings and need not be decoded again.
type headCache struct {
	entries [4]struct {
		block []byte
		head  *head
	}
	next int
	// fields are the metadata of the newest request, and base their context.
	fields []hpack.HeaderField
	base   context.Context
}

// maxCachedHead is the number of bytes of the longest headers that are compared with the cache.
const maxCachedHead = 128

// find returns the head of encoded headers, or nil.
func (h *headCache) find(block []byte) *head {
	if len(block) == 0 {
		return nil
	}
	for i := range h.entries {
		if e := &h.entries[i]; e.head != nil && bytes.Equal(e.block, block) {
			return e.head
		}
	}
	return nil
}

// maxKeptHead is the size of the largest head that a connection keeps after its request.
const maxKeptHead = 8 << 10

// add adds a head that was decoded from a block, unless it is large. If the block may have changed the table of HPACK, add empties the
// cache instead.
func (h *headCache) add(block []byte, decoded *head) {
	if decoded.bytes > maxKeptHead+streamBytes {
		h.fields, h.base = nil, nil
	}
	if !onlyReferences(block) {
		h.clear()
		return
	}
	if h.base == nil {
		return
	}
	e := &h.entries[h.next]
	e.block, e.head = block, decoded
	h.next = (h.next + 1) % len(h.entries)
}

func (h *headCache) clear() { clear(h.entries[:]) }

// onlyReferences reports whether encoded headers are references to the table, each of one byte. They do not change the table.
func onlyReferences(block []byte) bool {
	for _, b := range block {
		if b <= 0x80 || b == 0xff {
			return false
		}
	}
	return len(block) > 0
}

// newHead returns the head of a request.
func (h *headCache) newHead(c *conn, f *http2.MetaHeadersFrame) *head {
	d := &head{timeout: -1, httpStatus: httpOK, bytes: callBytes}
	var path, method, scheme, contentType, authority string
	hosts := 0
	for _, field := range f.Fields {
		d.bytes += int(field.Size())
		switch field.Name {
		case ":path":
			path = field.Value
		case ":method":
			method = field.Value
		case ":scheme":
			scheme = field.Value
		case "grpc-timeout":
			var ok bool
			if d.timeout, ok = parseTimeout(field.Value); !ok {
				d.refuse("400", status.Errorf(codes.Internal, "malformed grpc-timeout: %q", field.Value))
			}
		case "grpc-encoding":
			d.encoding = field.Value
		case "content-type":
			contentType = field.Value
		case "connection":
			d.malformed = true
		case ":authority":
			authority = field.Value
		case "host":
			hosts++
			authority = field.Value
		}
	}
	if err := h.setMetadata(c, f.Fields); err != nil {
		d.refuse("400", err)
	}
	d.base = h.base
	d.malformed = d.malformed || path == "" || method == "" || scheme == ""
	switch {
	case hosts > 1 || authority == "":
		d.refuse("400", status.Error(codes.Internal, "a request must have one host"))
	case !isGRPC(contentType):
		d.refuse("415", status.Errorf(codes.InvalidArgument, "invalid gRPC request content-type %q", contentType))
	case method != http.MethodPost:
		d.refuse("405", status.Errorf(codes.Internal, "Received a HEADERS frame with :method %q which should be POST", method))
	}
	if d.refused == nil {
		d.findMethod(c.server, path)
	}
	return d
}

// isMetadata reports whether a field is a part of the metadata. The other fields name the method and its parameters.
func isMetadata(f hpack.HeaderField) bool {
	switch f.Name {
	case ":path", ":method", ":scheme", "grpc-timeout", "grpc-encoding":
		return false
	}
	return true
}

// setMetadata sets base for a request with these fields. Most clients send the same metadata with all requests.
func (h *headCache) setMetadata(c *conn, fields []hpack.HeaderField) error {
	n, same := 0, h.base != nil
	for _, f := range fields {
		if isMetadata(f) {
			same = same && n < len(h.fields) && h.fields[n].Name == f.Name && h.fields[n].Value == f.Value
			n++
		}
	}
	if same && n == len(h.fields) {
		return nil
	}
	h.fields = slices.DeleteFunc(slices.Clone(fields), func(f hpack.HeaderField) bool { return !isMetadata(f) })
	md, err := metadataOf(h.fields)
	if err != nil {
		h.fields, h.base = nil, nil // the next request with them must fail, too
		return err
	}
	h.base = c.server.cfg.NewContext(c.net, md)
	return nil
}

// refuse sets the error of a request, if it has none yet.
func (d *head) refuse(httpStatus string, err error) {
	if d.refused == nil {
		d.refused, d.httpStatus = err, httpStatus
	}
}

// findMethod sets the method. If there is none, it sets the error that a server of grpc-go returns.
func (d *head) findMethod(s *Server, path string) {
	method, ok := s.cfg.Methods[path]
	if ok {
		if d.method = method; method.Stream != nil {
			d.bytes += streamBytes
		}
		return
	}
	service, name, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case !ok:
		d.refuse(httpOK, status.Errorf(codes.Unimplemented, "malformed method name: %q", path))
	case s.services[service]:
		d.refuse(httpOK, status.Errorf(codes.Unimplemented, "unknown method %v for service %v", name, service))
	default:
		d.refuse(httpOK, status.Errorf(codes.Unimplemented, "unknown service %v", service))
	}
}

// isGRPC reports whether a content type is that of gRPC. It may have a suffix: the encoding of the messages, or parameters.
func isGRPC(contentType string) bool {
	rest, ok := strings.CutPrefix(strings.ToLower(contentType), "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// metadataOf returns the metadata of a request.
func metadataOf(fields []hpack.HeaderField) (metadata.MD, error) {
	md := make(metadata.MD, len(fields))
	for _, f := range fields {
		value := f.Value
		switch {
		case strings.HasPrefix(f.Name, "grpc-") && f.Name != "grpc-accept-encoding", f.Name == "te":
			continue
		case strings.HasSuffix(f.Name, "-bin"):
			b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
			if err != nil {
				return md, status.Errorf(codes.Internal, "malformed binary metadata %q in header %q: %v", value, f.Name, err)
			}
			value = string(b)
		}
		md[f.Name] = append(md[f.Name], value)
	}
	return md, nil
}

// parseTimeout returns the time in the header grpc-timeout: up to eight digits and a unit.
func parseTimeout(text string) (time.Duration, bool) {
	if len(text) < 2 || len(text) > 9 {
		return 0, false
	}
	units := map[byte]time.Duration{
		'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
	}
	unit, ok := units[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 63)
	if !ok || err != nil {
		return 0, false
	}
	const longest = time.Duration(1<<63 - 1)
	if n > uint64(longest/unit) {
		return longest, true
	}
	return time.Duration(n) * unit, true
}
