package httpapi

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Listen makes the connections of a listener cheap for net/http, and ends those whose
// client takes nothing; see conn. It goes below TLS, if there is any.
func Listen(l net.Listener, stalls Stalls) net.Listener { return listener{l, &stalls} }

type listener struct {
	net.Listener
	stalls *Stalls
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, stalls: l.stalls}, nil
}

// conn is a client's connection as net/http sees it. It takes two things lightly
// that net/http does at each request, and which cost more than a read of the tree:
//
//   - While a handler runs, net/http reads one byte in another goroutine, to find
//     out whether the client goes away, and breaks that off when the handler is done.
//     Here the first such read finds nothing at once. Nothing waits for the client's
//     end: a write goes through the log whether somebody waits for it or not, and
//     what waits for events has left net/http.
//   - It moves the deadlines about ten times. Here the socket learns of one when a
//     read begins or is under way, and only of one that is earlier than the one it
//     has; a later one waits until that passes. Most are called off long before.
//
// What it does not take lightly is a client that takes nothing: see Write.
type conn struct {
	net.Conn
	raw   syscall.RawConn // of the socket, once it was asked for; nil if this is more than a socket
	ahead []byte          // came while a long poll waited; for the next Read
	spare bool            // the last Read was for one byte, and was spared

	mu      sync.Mutex
	reading bool      // a Read of the socket is under way
	wanted  time.Time // the deadline for reads
	set     time.Time // the one that the socket has, zero for none

	stalls  *Stalls   // nil for one above another conn, which looks after it
	writing deadlines // of writes
}

// Read is the reader's alone. A read for one byte is net/http's in the background,
// or one for the last byte of a buffer; that asks again if it gets nothing.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	if c.spare = len(p) == 1 && !c.spare; c.spare {
		return 0, nil
	}
	for {
		if err := c.beginRead(); err != nil {
			return 0, err
		}
		n, err := c.Conn.Read(p)
		late := err != nil && errors.Is(err, os.ErrDeadlineExceeded)
		if c.endRead(late) {
			return n, err
		}
	}
}

func (c *conn) beginRead() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = true
	return c.hasten()
}

// endRead reports whether the read has its result. If the socket's deadline has
// passed, but not the wanted one, it begins again.
func (c *conn) endRead(late bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	if !late || !c.wanted.IsZero() && !time.Now().Before(c.wanted) {
		return true
	}
	c.set = c.wanted
	return c.Conn.SetReadDeadline(c.wanted) != nil
}

// hasten tells the socket of a deadline that comes before the one it has.
func (c *conn) hasten() error {
	if c.wanted.IsZero() || !c.set.IsZero() && !c.wanted.Before(c.set) {
		return nil
	}
	c.set = c.wanted
	return c.Conn.SetReadDeadline(c.wanted)
}

// SetReadDeadline holds for a read under way, too.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = t
	if !c.reading {
		return nil
	}
	return c.hasten()
}

// SetDeadline is both.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// CloseWrite lets net/http end an answer before it has read the whole request, so
// that the client gets to see it.
func (c *conn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
