package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"pando/members/certs"
)

const (
	// idleTimeout is how long an idle connection to a member stays open.
	idleTimeout = 30 * time.Second
	// expectTimeout is how long the proxy waits for a member's 100 (Continue) before it sends the body anyway.
	expectTimeout = time.Second
	// handshakeTimeout bounds a TLS handshake with a member.
	handshakeTimeout = 5 * time.Second
)

// errHandshake is returned if the TLS handshake with a member fails.
var errHandshake = errors.New("httpproxy: TLS handshake failed")

// keepAlive detects within about 20 s that the host of a member does not respond, even during a long poll, when nothing is sent.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 5 * time.Second, Count: 3}

// newTransport returns the transport to the members. All its connections are memberConns.
func newTransport(cfg Config) *http.Transport {
	dialer := &net.Dialer{Timeout: cfg.DialTimeout, KeepAliveConfig: keepAlive, Control: limitUnacknowledged(cfg.WriteTimeout)}
	newConn := func(c net.Conn, err error) (net.Conn, error) {
		if err != nil {
			return nil, err
		}
		return &memberConn{Conn: c, read: cfg.ReadTimeout, write: cfg.WriteTimeout}, nil
	}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return newConn(dialer.DialContext(ctx, network, address))
		},
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return newConn(dialTLS(ctx, dialer, cfg.NewTLSConfig, network, address))
		},
		MaxIdleConns:          cfg.MaxIdle,
		MaxIdleConnsPerHost:   cfg.MaxIdle,
		IdleConnTimeout:       idleTimeout,
		DisableCompression:    true, // bodies are passed on unchanged
		ExpectContinueTimeout: expectTimeout,
	}
}

// dialTLS opens a TLS connection to a member. It wraps errHandshake if the handshake fails.
func dialTLS(ctx context.Context, dialer *net.Dialer, newConfig func() *tls.Config, network, address string) (net.Conn, error) {
	c, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{}
	if newConfig != nil {
		config = newConfig()
	}
	config.NextProtos = nil // memberConn hides the negotiated protocol, so the transport speaks HTTP/1.1
	secure, err := certs.Handshake(ctx, c, config, address, handshakeTimeout)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errHandshake, err)
	}
	return secure, nil
}

// memberConn is a connection to a member. It counts the sent bytes of requests, before encryption, and records whether the connection
// failed. The errors of http.Transport contain neither.
type memberConn struct {
	net.Conn
	read, write  time.Duration // time limits of a single read and of a single write; 0 means none
	sent         atomic.Uint64 // bytes written
	writing      atomic.Bool   // a write is in progress, whose bytes are not in sent yet
	failed       atomic.Bool   // an I/O error, or a write that reached its limit
	readTimedOut atomic.Bool   // a read that reached its limit
}

// Read fails if the member sends nothing within the limit.
func (c *memberConn) Read(p []byte) (int, error) {
	if c.read > 0 {
		if err := c.SetReadDeadline(time.Now().Add(c.read)); err != nil {
			return 0, c.record(err)
		}
	}
	n, err := c.Conn.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.readTimedOut.Store(true)
		return n, err
	}
	return n, c.record(err)
}

// Write fails if the member does not take the bytes within the limit.
func (c *memberConn) Write(p []byte) (int, error) {
	if c.write > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(c.write)); err != nil {
			return 0, c.record(err)
		}
	}
	c.writing.Store(true)
	n, err := c.Conn.Write(p)
	c.sent.Add(uint64(n))
	c.writing.Store(false)
	return n, c.record(err)
}

// record sets failed for an error, unless this process closed the connection itself. It returns the error.
func (c *memberConn) record(err error) error {
	if err != nil && !errors.Is(err, net.ErrClosed) {
		c.failed.Store(true)
	}
	return err
}
