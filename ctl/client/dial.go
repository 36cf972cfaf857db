package client

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"pando/members/certs"
)

const (
	// handshakeTimeout limits a TLS handshake.
	handshakeTimeout = 10 * time.Second
	// socketSuffix ends the host that stands for a unix socket, between the URL of a request and the dialer. No real host has it.
	socketSuffix = ".socket.invalid"
	// socketHost is the Host header of a request to a unix socket, and the name that the certificate behind one must have.
	socketHost = "localhost"
)

// SocketPath returns the path of the unix socket of an endpoint, or an empty text for an endpoint of another kind. As in the legacy
// client, the path may be in the place of the host, as in unix://name:1.
func SocketPath(endpoint *url.URL) string {
	if endpoint.Scheme != schemeUnix && endpoint.Scheme != schemeUnixTLS {
		return ""
	}
	return endpoint.Host + endpoint.Path
}

// dialable returns the URL of an endpoint in a form that package http can send requests to. The URL of a unix socket gets a host that
// stands for the socket; see dialer.connect.
func dialable(endpoint *url.URL) *url.URL {
	socket := SocketPath(endpoint)
	if socket == "" {
		u := *endpoint
		return &u
	}
	scheme := "http"
	if endpoint.Scheme == schemeUnixTLS {
		scheme = "https"
	}
	return &url.URL{Scheme: scheme, Host: hex.EncodeToString([]byte(socket)) + socketSuffix}
}

// socketOf returns the path of the unix socket that a host stands for.
func socketOf(host string) (path string, ok bool) {
	digits, ok := strings.CutSuffix(host, socketSuffix)
	if !ok {
		return "", false
	}
	decoded, err := hex.DecodeString(digits)
	return string(decoded), err == nil
}

// dialer opens the connections of a Client.
type dialer struct {
	net.Dialer
	tls *tls.Config // may be nil
}

// newTransport returns the transport of a Client.
func newTransport(config *Config) *http.Transport {
	d := &dialer{Dialer: net.Dialer{Timeout: config.DialTimeout, KeepAlive: 30 * time.Second}, tls: config.TLS}
	return &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) {
			if _, isSocket := socketOf(r.URL.Hostname()); isSocket {
				return nil, nil
			}
			return http.ProxyFromEnvironment(r)
		},
		DialContext:         d.connect,
		DialTLSContext:      d.connectTLS,
		TLSHandshakeTimeout: handshakeTimeout, // of connections through a proxy; the others are those of connectTLS
		TLSClientConfig:     config.TLS,
		MaxIdleConnsPerHost: idleConnections,
	}
}

// connect connects to an address, or to the unix socket that its host stands for.
func (d *dialer) connect(ctx context.Context, network, address string) (net.Conn, error) {
	if host, _, err := net.SplitHostPort(address); err == nil {
		if path, isSocket := socketOf(host); isSocket {
			return d.DialContext(ctx, "unix", path)
		}
	}
	return d.DialContext(ctx, network, address)
}

// connectTLS is connect with a TLS handshake. A failed handshake is a *handshakeError.
func (d *dialer) connectTLS(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := d.connect(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if host, _, err := net.SplitHostPort(address); err == nil {
		if _, isSocket := socketOf(host); isSocket {
			address = socketHost
		}
	}
	return HandshakeTLS(ctx, raw, d.tls, address)
}

// HandshakeTLS completes a TLS handshake on a connection and returns the secure connection. If config has no ServerName, the certificate
// of the server must be valid for the host of address (HOST:PORT or HOST). config may be nil. After an error HandshakeTLS has closed raw;
// ExplainTLS adds advice to the error.
func HandshakeTLS(ctx context.Context, raw net.Conn, config *tls.Config, address string) (net.Conn, error) {
	secure, err := certs.Handshake(ctx, raw, config, address, handshakeTimeout)
	if err != nil {
		return nil, &handshakeError{err}
	}
	return secure, nil
}
