package proxy

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

// limitBodyTime closes the connection of a client that takes longer than BodyTimeout to send a body. Without the deadline net/http
// would wait for ever for the part of a body that a handler has not read. Unlike limitBodyTime in package httpapi it also removes
// the deadline, at the end of the body, so that the deadline does not apply to the wait of a long poll.
func (p *Proxy) limitBodyTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			control := http.NewResponseController(w)
			_ = control.SetReadDeadline(time.Now().Add(p.cfg.BodyTimeout)) // an error means that the connection has no deadlines
			r.Body = &timedBody{ReadCloser: r.Body, control: control}
		}
		next.ServeHTTP(w, r)
	})
}

// timedBody is a body that removes the read deadline of its connection at the end of the body. After that net/http continues to read,
// to notice that the client closes the connection.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

// Read reads from the client.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// discardBodies reads and drops the bodies of requests that change nothing. Members ignore such bodies, and a request without
// a body can be sent to several members.
func (p *Proxy) discardBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isRead(r.Method) && r.ContentLength != 0 {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				p.writeError(w, r, fmt.Errorf("%w: %w", errClientBody, err))
				return
			}
			r.Body, r.ContentLength, r.TransferEncoding = http.NoBody, 0, nil
		}
		next.ServeHTTP(w, r)
	})
}
