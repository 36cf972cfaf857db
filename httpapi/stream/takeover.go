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
// client waits. Callers must have flushed the header of the response. If other requests share the connection, as with HTTP/2, the
// error wraps http.ErrNotSupported.
func (d *Dispatcher) takeOver(w http.ResponseWriter, r *http.Request, watch Watch) (*connStream, error) {
	hijacked, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	c := connOf(hijacked)
	c.clearWriteDeadline()
	s := &connStream{Stream: Stream{Watch: watch, dispatcher: d, framing: Raw}, conn: c}
	if r.ProtoAtLeast(1, 1) {
		s.framing, s.reusable = Chunked, !r.Close
	}
	if n := buffered.Reader.Buffered(); n > 0 {
		s.pipelined = make([]byte, n)
		_, _ = io.ReadFull(buffered.Reader, s.pipelined) // does not read from the connection
	}
	return s, nil
}

// connOf returns the conn for a hijacked connection: the conn of Listen, the conn that came back through keepAlive, or a new conn on
// another connection.
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
	switch inner := c.Conn.(type) {
	case syscall.Conn:
		if c.raw == nil {
			c.raw, _ = inner.SyscallConn() // nil after an error: every write may wait
		}
	case *tls.Conn:
		if socket, ok := inner.NetConn().(syscall.Conn); ok && c.tlsSocket == nil {
			c.tlsSocket, _ = socket.SyscallConn() // nil after an error: every write may wait
		}
	}
	return c
}

// tlsConn is a conn on TLS that net/http serves again. It keeps the TLS state of the requests.
type tlsConn struct {
	*conn
	tls *tls.Conn
}

// Secure returns a connection for HTTP/1 on a TLS connection whose handshake is complete. It is as cheap for net/http to serve as one of
// Listen, and a Dispatcher can take it over. The connection below that of TLS must be one of Listen: it has the deadlines of writes.
func Secure(c *tls.Conn) net.Conn { return tlsConn{&conn{Conn: c}, c} }

// ConnectionState is called by net/http for http.Request.TLS.
func (c tlsConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// readLoop reads what the client sends. The end of the connection ends the watch. readLoop keeps the bytes of the next request until
// the response is complete. It returns the connection to net/http only when the next request has begun: net/http would close a
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

// maxPipelined is the number of bytes that a client may send before its response is complete. A client that sends more is cut off:
// readLoop must read to notice the end of the connection, and must keep what it reads.
const maxPipelined = 64 << 10

// received handles the result of a read. It reports whether readLoop must continue.
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
			s.Watcher.Close() // wakes the stream, which then closes the connection
		}
		return false
	case s.idle && len(s.pipelined) > 0:
		s.giveBack()
		return false
	}
	return true
}

// awaitRequest keeps the connection open for the next request, or closes it if there can be none. The response must be complete. A
// continuous watch keeps its connection if it has ended after Watch.Timeout, and not after an error.
func (s *connStream) awaitRequest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = true
	switch {
	case !s.reusable || s.Mode == Continuous && s.err != nil || s.gone || s.dispatcher.isClosed():
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
	if inner, ok := c.Conn.(*tls.Conn); ok {
		back = tlsConn{c, inner}
	}
	if c.SetReadDeadline(time.Time{}) != nil || !s.dispatcher.keepAlive.offer(back) {
		s.closeConn()
		return
	}
	s.idle = false // otherwise Close would close a connection that already serves the next request
	s.dispatcher.remove(s)
}
