package transport

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// NewClient returns an HTTP client for requests to peers. A connection fails within StreamTimeout if the peer stops
// reading or its host is gone. tlsConfig may be nil.
func NewClient(tlsConfig *tls.Config) *http.Client {
	dialer := &net.Dialer{Timeout: time.Second, KeepAlive: keepAlive, Control: setUserTimeout}
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &stallConn{c}, nil
		},
		TLSClientConfig:     tlsConfig,
		TLSHandshakeTimeout: 2 * time.Second,
		WriteBufferSize:     64 << 10,
		DisableKeepAlives:   true, // each stream keeps its connection; other requests are rare
	}}
}
