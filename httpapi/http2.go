package httpapi

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"

	"go.uber.org/zap"

	"pando/httpapi/h2"
	"pando/httpapi/stream"
)

// GRPCServer serves gRPC on the client URLs.
type GRPCServer interface {
	// Serve serves the connections of a listener, which are of type *h2.Conn, until the listener is closed.
	Serve(l net.Listener) error
	// Shutdown refuses new requests, ends the streams that have no end of their own, and waits for the other requests until ctx is done.
	// Then it closes all connections and returns the error of ctx.
	Shutdown(ctx context.Context) error
}

// The connections of HTTP/2 on the client URLs leave the listeners before net/http gets them, because one port serves HTTP and gRPC. A
// h2.Front passes each of them to the gRPC server or to an http.Server for HTTP/2 alone.

// newFront makes the Front of the client URLs.
func newFront(cfg Config) *h2.Front {
	headerBytes := cfg.MaxHeaderBytes
	if headerBytes == 0 {
		headerBytes = http.DefaultMaxHeaderBytes
	}
	return h2.New(h2.Config{FrameTimeout: HeaderTimeout, MaxHeaderBytes: headerBytes, AcceptTimeout: cfg.StartTimeout})
}

// newHTTP2Server makes the http.Server for HTTP/2. Its connections are of type *h2.Conn.
func newHTTP2Server(h http.Handler, log *zap.Logger) *http.Server {
	s := newHTTPServer(withTLSState(h), log)
	s.Protocols = new(http.Protocols)
	s.Protocols.SetUnencryptedHTTP2(true) // for net/http a h2.Conn is not encrypted
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if state := c.(*h2.Conn).TLS(); state != nil {
			ctx = context.WithValue(ctx, tlsStateKey{}, state)
		}
		return ctx
	}
	return s
}

// tlsStateKey is the context key of the *tls.ConnectionState of a request on a h2.Conn.
type tlsStateKey struct{}

// withTLSState returns a handler that sets the TLS field of requests, as net/http does for connections that it knows to be encrypted.
func withTLSState(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.TLS, _ = r.Context().Value(tlsStateKey{}).(*tls.ConnectionState)
		next.ServeHTTP(w, r)
	})
}

// servePlainHTTP2 passes a connection of HTTP/2 without TLS to the Front. read is what was read from it.
func (s *Server) servePlainHTTP2(c net.Conn, read []byte) {
	if s.cfg.StallTimeout > 0 {
		c = stream.LimitConn(c, s.stallPolicy())
	}
	s.front.Serve(c, append([]byte(nil), read...), nil)
}

// serveSecureHTTP2 passes a connection of HTTP/2 over TLS to the Front. The connection below TLS limits how long the client may read
// nothing.
func (s *Server) serveSecureHTTP2(c *tls.Conn) {
	state := c.ConnectionState()
	s.front.Serve(c, nil, &state)
}

// serveGRPC begins to serve gRPC. With a nil server, connections of gRPC are closed.
func (s *Server) serveGRPC(server GRPCServer) {
	if server == nil {
		_ = s.front.GRPC().Close() // its error is always nil
		return
	}
	go func() { s.report(s.front.GRPC(), server.Serve(s.front.GRPC())) }()
}
