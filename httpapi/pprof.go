package httpapi

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"
)

// servePprof serves Go's profiles if --enable-pprof is set. While auth is enabled, they need the role root.
func (p *process) servePprof(w http.ResponseWriter, r *http.Request) {
	if p.pprof == Off {
		http.NotFound(w, r)
		return
	}
	if p.authorizeProfile(w, r) != nil {
		return
	}
	switch strings.TrimPrefix(r.URL.Path, "/debug/pprof/") {
	case "cmdline":
		pprof.Cmdline(w, r)
	case "symbol":
		pprof.Symbol(w, r)
	case "profile":
		serveAbortable(w, r, p.writeTimeout, pprof.Profile)
	case "trace":
		serveAbortable(w, r, p.writeTimeout, pprof.Trace)
	default:
		serveAbortable(w, r, p.writeTimeout, pprof.Index)
	}
}

// serveAbortable calls serve with a request whose context ends when the client closes the connection. Only one CPU profile can run
// at a time, so a profile without a client would block the next one. On a connection of stream.Listen net/http does not notice the
// close. So serveAbortable takes the connection over from net/http, without the request's body, and closes it after the response.
// timeout bounds each write.
func serveAbortable(w http.ResponseWriter, r *http.Request, timeout time.Duration, serve http.HandlerFunc) {
	header := w.Header()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2, where net/http itself notices the close
		serve(w, r)
		return
	}
	defer func() { _ = conn.Close() }() // all that could be sent was sent
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, conn) // returns when the client closes the connection, or after the response
	}()
	r = r.WithContext(ctx)
	r.Body = http.NoBody
	serve(&connResponse{conn: conn, header: header, timeout: timeout}, r)
}

// connResponse is an http.ResponseWriter for a connection that was taken over. The response ends with the connection.
type connResponse struct {
	conn    net.Conn
	header  http.Header
	timeout time.Duration // of each write
	begun   bool          // the head was sent
}

// Header returns the headers of the response.
func (c *connResponse) Header() http.Header { return c.header }

// WriteHeader sends the head of the response. It ignores errors: Write will return them.
func (c *connResponse) WriteHeader(status int) {
	if c.begun {
		return
	}
	c.begun = true
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.timeout))
	_, _ = fmt.Fprintf(c.conn, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	c.header.Set("Connection", "close")
	_ = c.header.Write(c.conn)
	_, _ = io.WriteString(c.conn, "\r\n")
}

// Write sends a part of the body.
func (c *connResponse) Write(p []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.conn.Write(p)
}
