package stream

import (
	"net"
	"sync"
	"sync/atomic"
)

// keepAlive is a listener for net/http. It accepts the connections whose long poll is complete and whose next request has
// begun.
type keepAlive struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	served atomic.Bool // Accept was called
}

// maxReturning is the number of connections that may wait for Accept. Further ones are closed, and their clients connect again.
const maxReturning = 1024

func newKeepAlive() *keepAlive {
	return &keepAlive{conns: make(chan net.Conn, maxReturning), closed: make(chan struct{})}
}

// offer passes a connection to Accept. It reports false if the listener is closed, not served, or full; the caller then keeps the
// connection.
func (l *keepAlive) offer(c net.Conn) bool {
	if !l.served.Load() {
		return false
	}
	select {
	case <-l.closed:
		return false
	case l.conns <- c:
		return true
	default:
		return false
	}
}

// Accept returns the next connection.
func (l *keepAlive) Accept() (net.Conn, error) {
	l.served.Store(true)
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and closes the connections that wait for it.
func (l *keepAlive) Close() error {
	l.once.Do(func() { close(l.closed) })
	for {
		select {
		case c := <-l.conns:
			_ = c.Close()
		default:
			return nil
		}
	}
}

// Addr names the listener in logs.
func (l *keepAlive) Addr() net.Addr { return keepAliveAddr{} }

type keepAliveAddr struct{}

func (keepAliveAddr) Network() string { return "tcp" }
func (keepAliveAddr) String() string  { return "connections kept alive after a long poll" }
