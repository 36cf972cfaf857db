package certs

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// Handshake completes the TLS handshake of a client on conn, within timeout, and returns the secure connection, a *tls.Conn. If
// config has no ServerName, the certificate of the server must be valid for the host of address (HOST:PORT or HOST). config is not
// changed; with nil the client trusts the CAs of the system and has no certificate. After an error conn is closed.
func Handshake(ctx context.Context, conn net.Conn, config *tls.Config, address string, timeout time.Duration) (net.Conn, error) {
	if config == nil {
		config = &tls.Config{}
	}
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName = hostOf(address)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the error of the handshake says more
		return nil, err
	}
	return secure, nil
}

// hostOf returns the host of an address, with or without a port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
