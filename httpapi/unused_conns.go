package httpapi

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// closeUnusedConns makes Shutdown of the server close connections on which no request has begun. Clients and load balancers open
// such connections in advance, and net/http would wait up to 5 s for their requests. closeUnusedConns must be called before the
// server serves.
func closeUnusedConns(s *http.Server) {
	u := &unusedConns{}
	s.ConnState = u.setState
	s.RegisterOnShutdown(u.close)
}

// unusedConns are the connections on which no request has begun.
type unusedConns struct {
	conns   sync.Map // keyed by net.Conn
	closing atomic.Bool
}

// setState records the new state of a connection; net/http calls it. It closes a connection that is accepted after close.
func (u *unusedConns) setState(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		u.conns.Store(c, nil)
		if u.closing.Load() {
			_ = c.Close() // it has no request that could get lost
		}
	case http.StateIdle: // it had a request before
	default:
		u.conns.Delete(c)
	}
}

// close closes the unused connections. Later ones are closed by setState.
func (u *unusedConns) close() {
	u.closing.Store(true)
	u.conns.Range(func(c, _ any) bool {
		_ = c.(net.Conn).Close() // it has no request that could get lost
		return true
	})
}
