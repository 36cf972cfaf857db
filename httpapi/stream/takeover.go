package stream

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

// takeOver takes the connection of a request from net/http, whose goroutines and buffers would need 26 kB for as long as the
// client waits. The header of the response must have been flushed. It returns an error that is http.ErrNotSupported if
// other requests share the connection, as with HTTP/2.
func (d *Dispatcher) takeOver(w http.ResponseWriter, r *http.Request, watch Watch) (*connStream, error) {
	hijacked, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	c := connOf(hijacked)
	c.clearWriteDeadline()
	s := &connStream{Stream: Stream{Watch: watch, dispatcher: d, framing: Raw}, conn: c}
	if r.ProtoAtLeast(1, 1) {
		s.framing, s.keepAlive = Chunked, !r.Close
	}
	if n := buffered.Reader.Buffered(); n > 0 {
		s.pipelined = make([]byte, n)
		_, _ = io.ReadFull(buffered.Reader, s.pipelined) // reads from the buffer alone
	}
	return s, nil
}

// connOf returns the conn of a connection that net/http served. It is a conn of Listen, a conn that came back by keepAlive, or
// another connection, such as TLS. Only a conn on a socket has a RawConn: on TLS every write waits.
func connOf(hijacked net.Conn) *conn {
	var c *conn
	switch h := hijacked.(type) {
	case tlsConn:
		c = h.conn
	case *conn:
		c = h
	default:
		c = &conn{Conn: hijacked}
	}
	if socket, ok := c.Conn.(syscall.Conn); ok && c.raw == nil {
		c.raw, _ = socket.SyscallConn() // nil after an error: every write waits
	}
	return c
}

// tlsConn is a conn on TLS that net/http serves again. It keeps the TLS state of the requests.
type tlsConn struct {
	*conn
	tls *tls.Conn
}

// ConnectionState is called by net/http for http.Request.TLS.
func (c tlsConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// readLoop reads what the client sends. The end of the connection ends the watch. The bytes of the next request are kept
// until the response is complete. The connection goes back to net/http when the next request has begun: net/http would close a
// connection whose request does not come within ReadHeaderTimeout.
func (s *connStream) readLoop() {
	var buf [64]byte
	for {
		n, err := s.conn.Read(buf[:])
		if !s.received(buf[:n], err) {
			return
		}
	}
}

// maxPipelined is how many bytes a client may send before its response is complete. A client that sends more is cut off: its
// bytes would have to be kept, and without reading them its end could not be noticed.
const maxPipelined = 64 << 10

// received handles the result of a read. It reports whether readLoop reads on.
func (s *connStream) received(b []byte, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pipelined = append(s.pipelined, b...)
	interrupted := errors.Is(err, os.ErrDeadlineExceeded) // by the deadline that awaitRequest sets
	switch {
	case err != nil && !interrupted, len(s.pipelined) > maxPipelined && !s.idle:
		s.gone = true
		if s.idle {
			s.closeConn()
		} else {
			s.Watcher.Close() // which wakes the stream; it then closes the connection
		}
		return false
	case s.idle && len(s.pipelined) > 0:
		s.giveBack()
		return false
	}
	return true
}

// awaitRequest keeps the connection open until the next request begins, if the client may send one. The response is complete.
func (s *connStream) awaitRequest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = true
	switch {
	case !s.keepAlive || s.Mode == Continuous || s.gone || s.dispatcher.isClosed():
		s.closeConn()
	case len(s.pipelined) > 0:
		_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // interrupts readLoop, which gives the connection back
	}
}

// giveBack returns the connection to net/http with the bytes of the next request. Only readLoop may call it. Callers must
// hold mu.
func (s *connStream) giveBack() {
	c := s.conn
	c.unread = append(s.pipelined, c.unread...)
	var back net.Conn = c
	if above, ok := c.Conn.(*tls.Conn); ok {
		back = tlsConn{c, above}
	}
	if c.SetReadDeadline(time.Time{}) != nil || !s.dispatcher.keepAlive.offer(back) {
		s.closeConn()
		return
	}
	s.idle = false // or Close would close a connection that already serves the next request
	s.dispatcher.remove(s)
}
