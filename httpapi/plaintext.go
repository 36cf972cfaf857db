package httpapi

import (
	"context"
	"net"
	"time"
)

// detectTLS waits for the first byte of a connection. If it begins a TLS handshake, detectTLS performs the handshake. Otherwise it
// passes the connection to Accept without TLS.
func (l *secureListener) detectTLS(raw net.Conn) {
	c := &peekedConn{Conn: raw}
	stop := context.AfterFunc(l.ctx, func() { _ = raw.Close() }) // nothing was served on it
	err := c.peek(time.Now().Add(handshakeTimeout))
	switch {
	case !stop() || err != nil:
		_ = raw.Close() // the other end has sent nothing in time, or the listener has ended
	case c.first[0] == handshakeRecord:
		l.handshake(c)
	default:
		l.deliver(c)
	}
}

// peekedConn is a connection whose first byte was read by peek. Read returns this byte again. Only one goroutine at a time may call
// Read.
type peekedConn struct {
	net.Conn
	first   [1]byte
	pending bool // Read has not returned first yet
}

// peek reads the first byte. It returns an error if none arrives until the deadline.
func (c *peekedConn) peek(deadline time.Time) error {
	if err := c.SetReadDeadline(deadline); err != nil {
		return err
	}
	if _, err := c.Conn.Read(c.first[:]); err != nil {
		return err
	}
	c.pending = true
	return c.SetReadDeadline(time.Time{})
}

// Read reads from the connection.
func (c *peekedConn) Read(p []byte) (int, error) {
	if c.pending && len(p) > 0 {
		c.pending = false
		return copy(p, c.first[:]), nil
	}
	return c.Conn.Read(p)
}

// CloseWrite closes only the sending side of the connection.
func (c *peekedConn) CloseWrite() error { return closeWrite(c.Conn) }
