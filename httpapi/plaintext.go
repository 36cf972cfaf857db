package httpapi

import (
	"context"
	"net"
	"time"
)

// detect waits for the first byte of a connection. It decides whether the connection is of TLS.
func (l *secureListener) detect(raw net.Conn) {
	c := &peekedConn{Conn: raw}
	stop := context.AfterFunc(l.ctx, func() { _ = raw.Close() }) // nothing was served on it
	err := c.peek(time.Now().Add(handshakeTimeout))
	switch {
	case !stop() || err != nil:
		_ = raw.Close() // the other end has sent nothing, or the listener has ended
	case c.first[0] == handshakeRecord:
		l.handshake(c)
	default:
		l.deliver(c)
	}
}

// peekedConn is a connection whose first byte was read. Read returns this byte again. net/http calls Read from one goroutine at a time.
type peekedConn struct {
	net.Conn
	first [1]byte
	left  bool // Read has not returned first
}

// peek reads the first byte. It returns an error if none arrives until the deadline.
func (c *peekedConn) peek(deadline time.Time) error {
	if err := c.SetReadDeadline(deadline); err != nil {
		return err
	}
	if _, err := c.Conn.Read(c.first[:]); err != nil {
		return err
	}
	c.left = true
	return c.SetReadDeadline(time.Time{})
}

// Read reads from the connection.
func (c *peekedConn) Read(p []byte) (int, error) {
	if c.left && len(p) > 0 {
		c.left = false
		return copy(p, c.first[:]), nil
	}
	return c.Conn.Read(p)
}

// CloseWrite closes only the sending side of the connection.
func (c *peekedConn) CloseWrite() error { return closeWrite(c.Conn) }
