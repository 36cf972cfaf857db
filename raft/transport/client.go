package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"syscall"
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
			return &impatientConn{c}, nil
		},
		TLSClientConfig:     tlsConfig,
		TLSHandshakeTimeout: 2 * time.Second,
		WriteBufferSize:     64 << 10,
		// A stream has a connection of its own; there is nothing to pool.
		DisableKeepAlives: true,
	}}
}

// impatientConn gives up on a peer that takes no bytes.
type impatientConn struct{ net.Conn }

// gulp is what a peer must take within Silence: much at once may well take longer.
const gulp = 256 << 10

func (c *impatientConn) Write(p []byte) (int, error) {
	// A write that does not wait would fail by an old deadline too.
	defer func() { _ = c.SetWriteDeadline(time.Time{}) }()
	written := 0
	for written < len(p) {
		if err := c.SetWriteDeadline(time.Now().Add(Silence)); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[written:min(len(p), written+gulp)])
		if written += n; err != nil {
			return written, err
		}
	}
	return written, nil
}

// SyscallConn gives the connection as the system knows it.
func (c *impatientConn) SyscallConn() (syscall.RawConn, error) {
	inner, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return inner.SyscallConn()
}
