package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"pando/members/certs"
)

// handshakeTimeout bounds a TLS handshake with a peer.
const handshakeTimeout = 3 * time.Second

// NewClient returns an HTTP client for requests to peers. A connection fails within StreamTimeout if the peer stops
// reading or its host is gone.
//
// newTLSConfig is called for each connection to an https URL, so that the connection uses the newest certificate and CAs.
// The client may change the result. If ServerName is empty, the peer's certificate must be valid for the host of the URL.
// With a nil newTLSConfig the client trusts the CAs of the system and has no certificate.
func NewClient(newTLSConfig func() *tls.Config) *http.Client {
	d := &dialer{
		tcp:          net.Dialer{Timeout: time.Second, KeepAlive: keepAlive, Control: setUserTimeout},
		newTLSConfig: newTLSConfig,
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:       d.dial,
			DialTLSContext:    d.dialTLS,
			WriteBufferSize:   64 << 10,
			DisableKeepAlives: true, // each stream keeps its connection; other requests are rare
		},
		// Members send no redirects. One could lead from https to http.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// dialer opens connections to peers.
type dialer struct {
	tcp          net.Dialer
	newTLSConfig func() *tls.Config // may be nil
}

// dial opens a plain connection.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.tcp.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &stallConn{c}, nil
}

// dialTLS opens a TLS connection. The result is a *tls.Conn.
func (d *dialer) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{}
	if d.newTLSConfig != nil {
		config = d.newTLSConfig()
	}
	config.DynamicRecordSizingDisabled = true // short records cost more system calls
	secure, err := certs.Handshake(ctx, c, config, address, handshakeTimeout)
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("TLS handshake with %s: %w: does the peer serve TLS there?", address, err)
	}
	if err != nil {
		return nil, fmt.Errorf("TLS handshake with %s: %w", address, err)
	}
	return secure, nil
}
