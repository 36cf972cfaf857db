package httpapi

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// park takes the connection of a request whose head has been answered. net/http's
// goroutines and buffers would cost 26 kB for as long as the client waits; what
// stays here is less than a third of that. After a long poll the
// connection goes back to net/http, with the next request.
func (s *Server) park(w http.ResponseWriter, r *http.Request) (*follower, error) {
	taken, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	c := connOf(taken)
	c.endWrites()
	f := &follower{server: s, conn: c, chunked: r.ProtoAtLeast(1, 1), keep: r.ProtoAtLeast(1, 1) && !r.Close}
	if n := buffered.Reader.Buffered(); n > 0 {
		f.ahead = make([]byte, n)
		_, _ = io.ReadFull(buffered.Reader, f.ahead) // it is there
	}
	return f, nil
}

// connOf gives what net/http had as its connection, ready for attempts. Above TLS
// there is nothing to attempt.
func connOf(taken net.Conn) *conn {
	var c *conn
	switch t := taken.(type) {
	case resumedTLS:
		c = t.conn
	case *conn:
		c = t
	default:
		c = &conn{Conn: taken}
	}
	if socket, ok := c.Conn.(syscall.Conn); ok && c.raw == nil {
		c.raw, _ = socket.SyscallConn() // without it, there are no attempts
	}
	return c
}

// resumedTLS is a connection that goes back to net/http, above TLS: requests on it
// have their TLS state as they had before.
type resumedTLS struct {
	*conn
	tls *tls.Conn
}

// ConnectionState is what net/http asks for.
func (c resumedTLS) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// listen ends the watch when the client goes away. What the client sends ahead
// for the next request is kept, within bounds. When a long poll is answered, it waits for
// that request, and gives the connection back to net/http with it: there a connection
// without a request would count as one that is slow to send its first.
func (f *follower) listen() {
	var b [64]byte
	for {
		n, err := f.conn.Read(b[:])
		if !f.heard(b[:n], err) {
			return
		}
	}
}

// maxAhead is how much a client may send before its answer is there. One that sends
// more is cut off: nobody would notice its end.
const maxAhead = 64 << 10

// heard takes what was read, and reports whether to listen on.
func (f *follower) heard(b []byte, err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ahead = append(f.ahead, b...)
	called := errors.Is(err, os.ErrDeadlineExceeded) // by release
	switch {
	case err != nil && !called, len(f.ahead) > maxAhead && !f.idle:
		f.gone = true
		if f.idle {
			f.close()
		} else {
			f.watcher.Close()
		}
		return false
	case f.idle && len(f.ahead) > 0:
		f.resume()
		return false
	}
	return true
}

// resume gives the connection back to net/http with what has come of the next
// request. Callers must hold mu, and be the one that listens.
func (f *follower) resume() {
	c := f.conn
	c.ahead = append(f.ahead, c.ahead...) // what listen has not read comes behind
	var back net.Conn = c
	if above, ok := c.Conn.(*tls.Conn); ok {
		back = resumedTLS{c, above}
	}
	if c.SetReadDeadline(time.Time{}) != nil || !f.server.returned.offer(back) {
		f.close()
		return
	}
	f.server.open.remove(f)
}

// close closes the connection.
func (f *follower) close() {
	f.server.open.remove(f)
	_ = f.conn.Close() // nobody is left to tell
}

// end closes the connection. At a shutdown the answer thereby breaks off, which
// makes clients try again elsewhere instead of taking the end for an answer.
func (f *follower) end() {
	f.watcher.Close()
	f.close()
	f.observe(f.outcome(f.err))
}

// release has the connection wait for the next request.
func (f *follower) release() {
	f.watcher.Close()
	f.observe(f.outcome(f.err))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.idle = true
	switch {
	case !f.keep || f.gone || isClosed(f.server.open.ended):
		f.close()
	case len(f.ahead) > 0:
		_ = f.conn.SetReadDeadline(time.Unix(1, 0)) // calls the one that listens
	}
}

// Close ends the watch, or closes the connection that waits for the next request: the
// server stops.
func (f *follower) Close() {
	f.watcher.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.idle {
		_ = f.conn.Close() // the one that listens does the rest
	}
}
