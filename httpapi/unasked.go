package httpapi

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// CloseUnasked has Shutdown of the server close connections on which no request has begun. net/http
// takes those that are younger than 5 s for requests under way, and waits for them: clients and
// load balancers open some in advance. It must be called before the server serves.
func CloseUnasked(s *http.Server) {
	u := &unasked{}
	s.ConnState = u.note
	s.RegisterOnShutdown(u.close)
}

// unasked knows the connections without a request.
type unasked struct {
	conns   sync.Map // of net.Conn
	closing atomic.Bool
}

// note follows a connection. One that is accepted while close is at work is closed here.
func (u *unasked) note(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		u.conns.Store(c, nil)
		if u.closing.Load() {
			_ = c.Close() // nothing was said on it
		}
	case http.StateIdle: // after a request
	default:
		u.conns.Delete(c)
	}
}

func (u *unasked) close() {
	u.closing.Store(true)
	u.conns.Range(func(c, _ any) bool {
		_ = c.(net.Conn).Close() // nothing was said on it
		return true
	})
}
