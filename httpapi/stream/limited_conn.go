package stream

import (
	"errors"
	"net"
	"time"
)

// LimitStalls returns a listener whose connections are closed if their client does not read for the policy's timeout. Otherwise they are
// those of l: net/http notices when a client closes its connection, and no Dispatcher can take them over.
func LimitStalls(l net.Listener, policy StallPolicy) net.Listener {
	return listener{l, func(c net.Conn) net.Conn { return LimitConn(c, policy) }}
}

// LimitConn returns a connection that is closed if its client does not read for the policy's timeout. Otherwise it is c.
func LimitConn(c net.Conn, policy StallPolicy) net.Conn {
	return &limitedConn{conn{Conn: c, policy: &policy}}
}

// limitedConn has the writes of a conn, and the reads of the connection below it.
type limitedConn struct{ conn }

func (c *limitedConn) Read(p []byte) (int, error) { return c.Conn.Read(p) }

func (c *limitedConn) SetReadDeadline(t time.Time) error { return c.Conn.SetReadDeadline(t) }

func (c *limitedConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
