package proxy

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

// timeBodies cuts off clients that take longer than BodyTimeout to send a body,
// whoever reads it: what a handler leaves is read by net/http, which would wait
// for ever. The deadline ends with the body; a long poll has none.
func (p *Proxy) timeBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			control := http.NewResponseController(w)
			_ = control.SetReadDeadline(time.Now().Add(p.cfg.BodyTimeout)) // fails only where there is no connection
			r.Body = &timedBody{ReadCloser: r.Body, control: control}
		}
		next.ServeHTTP(w, r)
	})
}

// timedBody is a body whose end ends its connection's deadline: net/http goes on
// reading then, to notice that the client goes away.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

// Read reads on.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// skipBodies reads the bodies of requests that change nothing. No member looks at
// them, and without one a request can be sent again.
func (p *Proxy) skipBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isRead(r.Method) && r.ContentLength != 0 {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				p.refuse(w, r, fmt.Errorf("%w: %w", errClientBody, err))
				return
			}
			r.Body, r.ContentLength, r.TransferEncoding = http.NoBody, 0, nil
		}
		next.ServeHTTP(w, r)
	})
}
