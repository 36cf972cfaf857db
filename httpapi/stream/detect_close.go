package stream

import (
	"context"
	"net"
)

// connKey is the context key of the connection of a request.
type connKey struct{}

// WithConn returns the context of the requests of a connection, for http.Server.ConnContext. DetectClose needs it.
func WithConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// DetectClose makes the context of a request end when its client closes the connection, until the caller calls restore at the end of the
// request. ctx is the context of the request. The handler must call DetectClose before it reads the body. It has no effect on a request
// without a body: net/http makes its read before the handler runs.
//
// On connections that are not of Listen or Secure, requests always notice it.
func DetectClose(ctx context.Context) (restore func()) {
	var c *conn
	switch of := ctx.Value(connKey{}).(type) {
	case tlsConn:
		c = of.conn
	case *conn:
		c = of
	default:
		return func() {}
	}
	c.detect.Store(true)
	return func() { c.detect.Store(false) }
}
