package h2

import (
	"crypto/tls"
	"errors"
	"net"
)

// Conn is a connection of HTTP/2 whose beginning was read by a Front. Read returns the beginning again. Only one goroutine at a time may
// call Read, and one at a time Write. After an error of Write the connection is unusable.
type Conn struct {
	net.Conn
	tls    *tls.ConnectionState
	early  []byte // was read from Conn before the Front got it
	unread []byte // was read by the Front, and is for the next Read; whole frames

	// awaitingAck is true until the client has acknowledged the SETTINGS of the Front. Until then Read looks at each frame.
	awaitingAck bool
	header      [frameHeader]byte // of the frame that Read looks at
	headerRead  int               // the number of its bytes that have arrived
	payload     int               // the rest of the frame

	// written removes the acknowledgement that the Front has sent from what the server writes. It is nil if the Front has sent none, and
	// after the server has written it.
	written *ackFilter
}

// TLS returns the state of TLS on the connection; nil without TLS. The caller must not change it.
func (c *Conn) TLS() *tls.ConnectionState { return c.tls }

// CloseWrite closes only the sending side of the connection.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Read reads from the connection.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.unread) > 0 {
		n := copy(p, c.unread)
		if c.unread = c.unread[n:]; len(c.unread) == 0 {
			c.unread = nil
		}
		return n, nil
	}
	if !c.awaitingAck {
		return c.readFirst(p)
	}
	return c.readBeforeAck(p)
}

// readFirst reads what no one has read from this Conn.
func (c *Conn) readFirst(p []byte) (int, error) {
	if len(c.early) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.early)
	if c.early = c.early[n:]; len(c.early) == 0 {
		c.early = nil
	}
	return n, nil
}

// readBeforeAck reads at most up to the end of a frame. It leaves out the first acknowledgement of SETTINGS.
func (c *Conn) readBeforeAck(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.payload > 0 {
		n, err := c.readFirst(p[:min(len(p), c.payload)])
		c.payload -= n
		return n, err
	}
	for c.headerRead < frameHeader {
		n, err := c.readFirst(c.header[c.headerRead:])
		c.headerRead += n
		if err != nil {
			return 0, err // the rest of the header may still arrive after a deadline
		}
	}
	c.headerRead = 0
	if isSettingsAck(c.header[:]) {
		c.awaitingAck = false
		return c.readFirst(p)
	}
	c.payload = payloadLength(c.header[:])
	c.unread = append([]byte(nil), c.header[:]...)
	return c.Read(p)
}

// Write writes to the connection. It leaves out the first acknowledgement of SETTINGS if the Front has sent one.
func (c *Conn) Write(p []byte) (int, error) {
	if c.written == nil {
		return c.Conn.Write(p)
	}
	return c.writeBeforeAck(p)
}

// writeBeforeAck writes what the filter returns.
func (c *Conn) writeBeforeAck(p []byte) (int, error) {
	rest, found := c.written.filter(p)
	if found {
		c.written = nil
	}
	if len(rest) == 0 {
		return len(p), nil
	}
	if _, err := c.Conn.Write(rest); err != nil {
		return 0, err
	}
	return len(p), nil
}
