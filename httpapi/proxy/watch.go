package proxy

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// isWatch reports whether an answer is that of a client which waits for events: it begins at
// once, and its events follow when they come.
func isWatch(resp *http.Response) bool {
	r := resp.Request
	if r.Method != http.MethodGet || resp.StatusCode != http.StatusOK || resp.ContentLength >= 0 || !strings.HasPrefix(r.URL.Path, "/v2/keys") {
		return false
	}
	waits, err := strconv.ParseBool(r.URL.Query().Get("wait"))
	return err == nil && waits
}

// watchBody is the answer to a client that waits. When its member goes away between two events,
// the answer ends, as that of the reference's proxy does: clients take that for a
// reason to ask again, and a connection that breaks for an error. Within an event it breaks,
// and so does it when the proxy stops.
type watchBody struct {
	io.ReadCloser
	ctx  context.Context // of the client's request
	last byte            // that was read; 0 before there was one
}

// Read reads on.
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
