package transport

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// NewClient makes the HTTP client for peer requests. A peer that no longer
// takes bytes, or whose host is gone, breaks the connection within Silence.
func NewClient(tlsConfig *tls.Config) *http.Client {
	dialer := &net.Dialer{Timeout: time.Second, KeepAlive: keepAlive, Control: bindUserTimeout}
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			hook, _ := ctx.Value(closeHook{}).(func())
			return &impatientConn{c, hook}, nil
		},
		TLSClientConfig:     tlsConfig,
		TLSHandshakeTimeout: 2 * time.Second,
		WriteBufferSize:     64 << 10,
		// A stream has a connection of its own; there is nothing to pool.
		DisableKeepAlives: true,
	}}
}

// closeHook is the key of a context's function that the connection of the request
// calls when it is closed, by whichever end.
type closeHook struct{}

// impatientConn gives up on a peer that takes no bytes.
type impatientConn struct {
	net.Conn
	closed func() // nil if nobody wants to know
}

func (c *impatientConn) Close() error {
	if c.closed != nil {
		c.closed()
	}
	return c.Conn.Close()
}

func (c *impatientConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(Silence)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
