package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

const (
	// idleTimeout is how long an unused connection to a member is kept.
	idleTimeout = 30 * time.Second
	// expectTimeout is how long a member may take to want a body that waits.
	expectTimeout = time.Second
)

// A host that has vanished without a word is noticed after about 20 s, by long
// polls too, in which nothing is sent.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 5 * time.Second, Count: 3}

// newTransport makes the connections to members. All of them are memberConns.
func newTransport(cfg Config) http.RoundTripper {
	dialer := &net.Dialer{Timeout: cfg.DialTimeout, KeepAliveConfig: keepAlive, Control: breakAfter(cfg.WriteTimeout)}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &memberConn{Conn: c, read: cfg.ReadTimeout, write: cfg.WriteTimeout}, nil
		},
		MaxIdleConns:        cfg.MaxIdle,
		MaxIdleConnsPerHost: cfg.MaxIdle,
		IdleConnTimeout:     idleTimeout,
		DisableCompression:  true, // the bytes go through as they are
		// A client that asks before it sends a large body is answered by the member.
		ExpectContinueTimeout: expectTimeout,
	}
}

// memberConn is a connection to a member. Its single reads and writes are
// bounded; zero is no bound. It counts the bytes that were sent, and remembers
// whether the member's side failed, for the transport's errors tell neither.
type memberConn struct {
	net.Conn
	read, write time.Duration
	sent        atomic.Uint64
	broken      atomic.Bool // an I/O error, also of a write that took too long
	late        atomic.Bool // a read took too long
}

// Read reads, or fails when the member sends nothing for the time.
func (c *memberConn) Read(p []byte) (int, error) {
	if c.read > 0 {
		if err := c.SetReadDeadline(time.Now().Add(c.read)); err != nil {
			return 0, c.noted(err)
		}
	}
	n, err := c.Conn.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.late.Store(true)
		return n, err
	}
	return n, c.noted(err)
}

// Write writes, or fails when the member takes nothing for the time.
func (c *memberConn) Write(p []byte) (int, error) {
	if c.write > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(c.write)); err != nil {
			return 0, c.noted(err)
		}
	}
	n, err := c.Conn.Write(p)
	c.sent.Add(uint64(n))
	return n, c.noted(err)
}

// noted remembers an error, unless it says that this process has closed the
// connection itself.
func (c *memberConn) noted(err error) error {
	if err != nil && !errors.Is(err, net.ErrClosed) {
		c.broken.Store(true)
	}
	return err
}
