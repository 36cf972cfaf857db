package stream

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Listen returns a listener whose connections are cheap for net/http to serve, can be taken over by a Dispatcher, and are
// closed if their client does not read for the policy's timeout. A TLS listener must wrap the returned one, not be wrapped by it; see
// Secure.
func Listen(l net.Listener, policy StallPolicy) net.Listener {
	return listener{l, func(c net.Conn) net.Conn { return &conn{Conn: c, policy: &policy} }}
}

// listener wraps the connections of another listener.
type listener struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.wrap(c), nil
}

// conn is a client's connection. It avoids two things that net/http does at each request, and which cost more than a read of
// the tree:
//
//   - While a handler runs, net/http reads one byte in another goroutine, to notice that the client goes away, and
//     interrupts that read when the handler returns. A conn returns no bytes from the first such read, without a system
//     call. Few handlers need to notice that the client goes away: a write goes through the log in any case, and a watch has
//     left net/http. The others call DetectClose.
//   - net/http changes the deadlines about ten times. A conn sets a read deadline on the socket only while a read is under
//     way, and only if it is earlier than the socket's. When the socket's deadline passes too early, the wanted one is set.
//     Most deadlines are removed long before.
//
// Its writes have a deadline of their own; see Write.
type conn struct {
	net.Conn
	raw       syscall.RawConn // of the socket; nil before connOf, and if Conn is not a socket
	tlsSocket syscall.RawConn // of the socket of a TLS connection; nil before connOf, and if Conn is not TLS
	unread    []byte          // read by readLoop, for the next Read
	skipped   bool            // the last Read was for one byte and was skipped
	detect    atomic.Bool     // no Read is skipped: the request under way must notice that its client goes away; see DetectClose

	mu      sync.Mutex
	reading bool      // a Read of the socket is under way
	wanted  time.Time // the read deadline
	set     time.Time // the read deadline of the socket; zero for none

	policy *StallPolicy  // nil for a conn that connOf made, such as one on TLS
	writes writeDeadline // of the socket
}

// Read must be called by one goroutine at a time. A read of one byte is the one of net/http that is described above, or one of a
// bufio.Reader whose buffer has room for one byte. The latter reads again when it gets none, so a second such read is not skipped.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.unread) > 0 {
		n := copy(p, c.unread)
		c.unread = c.unread[n:]
		return n, nil
	}
	if c.skipped = len(p) == 1 && !c.skipped && !c.detect.Load(); c.skipped {
		return 0, nil
	}
	for {
		if err := c.beginRead(); err != nil {
			return 0, err
		}
		n, err := c.Conn.Read(p)
		expired := err != nil && errors.Is(err, os.ErrDeadlineExceeded)
		if c.endRead(expired) {
			return n, err
		}
	}
}

// beginRead sets the wanted deadline on the socket.
func (c *conn) beginRead() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = true
	return c.advanceReadDeadline()
}

// endRead reports whether the read is complete. A read that ended by the socket's deadline must begin again if the wanted deadline
// is later. Then endRead sets it on the socket.
func (c *conn) endRead(expired bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	if !expired || !c.wanted.IsZero() && !time.Now().Before(c.wanted) {
		return true
	}
	c.set = c.wanted
	return c.Conn.SetReadDeadline(c.wanted) != nil
}

// advanceReadDeadline sets the wanted deadline on the socket if it is earlier than the socket's. Callers must hold mu.
func (c *conn) advanceReadDeadline() error {
	if c.wanted.IsZero() || !c.set.IsZero() && !c.wanted.Before(c.set) {
		return nil
	}
	c.set = c.wanted
	return c.Conn.SetReadDeadline(c.wanted)
}

// SetReadDeadline sets the wanted deadline. It also applies to a read under way.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = t
	if !c.reading {
		return nil
	}
	return c.advanceReadDeadline()
}

// SetDeadline sets the deadlines of reads and of writes.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// close closes the connection without waiting for the client. Close of a TLS connection sends an alert and may wait 5 s for a client
// that does not read.
func (c *conn) close() {
	if _, ok := c.Conn.(*tls.Conn); ok {
		go func() { _ = c.Close() }() // an error means that the client does not get the alert
		return
	}
	_ = c.Close() // the client sees the end in any case
}

// SyscallConn returns the connection's socket.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	socket, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return socket.SyscallConn()
}

// CloseWrite is called by net/http when it ends a response before it has read the whole request. Closing the connection
// instead could destroy the response before the client has read it.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
