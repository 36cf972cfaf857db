package proxy

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// isWatch reports whether a response belongs to a watch: its header comes at once, and its events follow later.
func isWatch(resp *http.Response) bool {
	r := resp.Request
	if r.Method != http.MethodGet || resp.StatusCode != http.StatusOK || resp.ContentLength >= 0 ||
		!strings.HasPrefix(r.URL.Path, "/v2/keys") {
		return false
	}
	waits, err := strconv.ParseBool(r.URL.Query().Get("wait"))
	return err == nil && waits
}

// watchBody is the body of a response to a watch. If the member goes away between two events, the body ends without an error, as in
// the reference's proxy. Clients then repeat the request; they would report a broken connection as an error. If the member goes away
// within an event, or if the proxy stops, the connection to the client breaks.
type watchBody struct {
	io.ReadCloser
	ctx  context.Context // of the client's request
	last byte            // the last byte that was read; 0 before the first
}

// Read reads from the member.
func (b *watchBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.last = p[n-1]
	}
	if err != nil && b.ctx.Err() == nil && (b.last == 0 || b.last == '\n') {
		return n, io.EOF
	}
	return n, err
}
