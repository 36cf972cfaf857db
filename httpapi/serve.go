package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"pando/httpapi/stream"

	"go.uber.org/zap"
)

// HeaderTimeout bounds how long a client or a peer may take to send the head of a request.
const HeaderTimeout = 10 * time.Second

// Listeners are the open sockets of a process. A proxy has none for peers.
type Listeners struct {
	Client, Peer, Metrics []net.Listener
}

// ConnectionLimits bounds how many connections each group of listeners may have open at a time.
type ConnectionLimits struct {
	Client, Peer, Metrics int
}

// servers are the http.Servers of a process, one for each group of listeners.
type servers struct {
	client, peer, metrics *http.Server
}

func (g *Gate) newServers() servers {
	s := servers{
		client:  newHTTPServer(g.Client(), g.Logger.Named("client")),
		peer:    newHTTPServer(g.Peer(), g.Logger.Named("peer")),
		metrics: newHTTPServer(g.Observation(), g.Logger.Named("metrics")),
	}
	if g.BaseContext != nil {
		s.client.BaseContext = func(net.Listener) context.Context { return g.BaseContext }
	}
	return s
}

func newHTTPServer(h http.Handler, log *zap.Logger) *http.Server {
	s := &http.Server{Handler: h, ReadHeaderTimeout: HeaderTimeout, ErrorLog: zap.NewStdLog(log)}
	CloseUnusedConns(s)
	return s
}

// Serve accepts connections on all listeners, which it owns from now on, and returns at once. It may be called
// once. The channel receives the first error of a listener; after Shutdown or Close it receives none.
func (g *Gate) Serve(l Listeners) <-chan error {
	stalls := stream.StallPolicy{Timeout: g.StallTimeout, Metrics: g.Metrics, Logger: g.Logger}
	for _, group := range []struct {
		name      string
		server    *http.Server
		listeners []net.Listener
		limit     int
		clients   bool // the connections come from clients, not from peers
	}{
		{"client", g.servers.client, l.Client, g.Connections.Client, true},
		{"peer", g.servers.peer, l.Peer, g.Connections.Peer, false},
		{"metrics", g.servers.metrics, l.Metrics, g.Connections.Metrics, true},
	} {
		if len(group.listeners) == 0 {
			continue // or its metrics would appear
		}
		admission := NewAdmission(group.name, group.limit, g.Metrics, g.Logger)
		for _, listener := range group.listeners {
			listener = admission.Listen(listener)
			if group.clients && g.StallTimeout > 0 {
				listener = stream.Listen(listener, stalls)
			}
			go g.accept(group.server, listener)
		}
	}
	return g.failed
}

// accept serves one listener until the server is shut down or the listener fails.
func (g *Gate) accept(server *http.Server, l net.Listener) {
	err := server.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return
	}
	select {
	case g.failed <- fmt.Errorf("listening on %s: %w", l.Addr(), err):
	default: // an earlier error is reported
	}
}

// Shutdown stops accepting clients, ends the requests that may wait for long, and lets the others finish until ctx is
// done. Then it closes their connections and returns ctx's error. Peers are served until Close: the member may still have
// a leadership to hand over.
func (g *Gate) Shutdown(ctx context.Context) error {
	g.CloseWaits()
	if h := g.handlers.Load(); h != nil && h.CloseWaits != nil {
		h.CloseWaits()
	}
	var errs []error
	for _, server := range []*http.Server{g.servers.client, g.servers.metrics} {
		if err := server.Shutdown(ctx); err != nil {
			errs = append(errs, err)
			_ = server.Close() // its error would repeat Shutdown's
		}
	}
	return errors.Join(errs...)
}

// Close closes all listeners and connections, those of peers too.
func (g *Gate) Close() {
	for _, server := range []*http.Server{g.servers.client, g.servers.peer, g.servers.metrics} {
		_ = server.Close() // nothing is lost with a listener or a connection
	}
}
