package httpapi

import (
	"net"
	"sync"
	"sync/atomic"
)

// returned is the listener on which connections come back to net/http when
// their long poll has ended.
type returned struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	served atomic.Bool
}

// returnedRoom is how many connections may wait to be served again. Beyond it
// they are closed, and the clients dial anew.
const returnedRoom = 1024

func newReturned() *returned {
	return &returned{conns: make(chan net.Conn, returnedRoom), closed: make(chan struct{})}
}

// offer hands a connection over, unless nobody takes it.
func (l *returned) offer(c net.Conn) bool {
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

// Accept gives the next connection that has come back.
func (l *returned) Accept() (net.Conn, error) {
	l.served.Store(true)
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and closes who waits.
func (l *returned) Close() error {
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

// Addr stands for the listener in logs.
func (l *returned) Addr() net.Addr { return returnedAddr{} }

type returnedAddr struct{}

func (returnedAddr) Network() string { return "tcp" }
func (returnedAddr) String() string  { return "connections whose long poll has ended" }
