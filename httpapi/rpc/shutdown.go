package rpc

import (
	"errors"
	"io"
	"time"

	"golang.org/x/net/http2"
)

// lingerTimeout is how long a closed connection is read on after a GOAWAY. If it were closed with unread bytes, the system would reset it,
// and the client could lose what it has not read yet: the GOAWAY, and the last responses.
const lingerTimeout = 500 * time.Millisecond

// drain asks the client with a GOAWAY to begin no more calls, and closes the connection when all calls have ended. Calls that the client
// sends before it has read the GOAWAY are still served.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.appendGoAway(1<<31-1, http2.ErrCodeNo, "")
	c.ping.drain(c)
	go c.flush() // may wait for the client
}

// drained ends the first step of drain: the client has read the GOAWAY. Calls that it begins afterwards are ignored. Callers must hold mu.
func (c *conn) drained() {
	if c.err != nil || c.draining {
		return
	}
	c.draining = true
	c.appendGoAway(c.lastStream, http2.ErrCodeNo, "")
	c.flushLocked()
	c.closeIfDrained()
}

// closeIfDrained closes the connection if drain was called, all calls have ended and all output is written. Callers must hold mu.
func (c *conn) closeIfDrained() {
	if c.draining && len(c.streams) == 0 && len(c.out) == 0 && !c.writing {
		c.close(errDrained)
	}
}

// endRead ends the reading of a connection. It reads on for a while if the connection was closed after a GOAWAY.
func (c *conn) endRead(err error) {
	c.fail(err)
	c.mu.Lock()
	lingers := lingersAfter(c.err)
	c.mu.Unlock()
	if lingers {
		_, _ = io.Copy(io.Discard, c.net) // until the client closes the connection, or the deadline of linger
	}
	close(c.readEnded)
}

// lingersAfter reports whether a connection that is closed because of err has sent a GOAWAY that the client should read.
func lingersAfter(err error) bool {
	_, violation := errors.AsType[http2.ConnectionError](err)
	return violation || err == errDrained
}

// linger closes a connection that has sent a GOAWAY, when the client has closed its side, or at the latest after lingerTimeout.
func (c *conn) linger() {
	_ = c.net.SetDeadline(time.Now().Add(c.server.cfg.lingerTimeout)) // after an error, reading ends at once
	if half, ok := c.net.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		<-c.readEnded
	}
	c.shut()
}

// shut closes the socket. It may take seconds with TLS if the client reads nothing, so callers must not hold mu.
func (c *conn) shut() {
	_ = c.net.Close() // an error has no consequence: the connection is not used any more
	c.server.remove(c)
}
