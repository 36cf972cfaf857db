package proxy

import (
	"context"
	"net"
	"net/http"
	"time"
)

const (
	// idleTimeout is how long an unused connection to a member is kept.
	idleTimeout = 30 * time.Second
	// maxIdle is how many of them are kept for each member.
	maxIdle = 256
	// expectTimeout is how long a member may take to want a body that waits.
	expectTimeout = time.Second
)

// A host that has vanished without a word is noticed after about 20 s, by long
// polls too, in which nothing is sent.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 5 * time.Second, Count: 3}

// newTransport makes the connections to members.
func newTransport(cfg Config) http.RoundTripper {
	dialer := &net.Dialer{Timeout: cfg.DialTimeout, KeepAliveConfig: keepAlive, Control: breakAfter(cfg.WriteTimeout)}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil || (cfg.ReadTimeout == 0 && cfg.WriteTimeout == 0) {
				return c, err
			}
			return &timedConn{Conn: c, read: cfg.ReadTimeout, write: cfg.WriteTimeout}, nil
		},
		MaxIdleConns:        0,
		MaxIdleConnsPerHost: maxIdle,
		IdleConnTimeout:     idleTimeout,
		DisableCompression:  true, // the bytes go through as they are
		// A client that asks before it sends a large body is answered by the member.
		ExpectContinueTimeout: expectTimeout,
	}
}

// timedConn is a connection whose single reads and writes are bounded. Zero is
// no bound.
type timedConn struct {
	net.Conn
	read, write time.Duration
}

func (c *timedConn) Read(p []byte) (int, error) {
	if c.read > 0 {
		if err := c.SetReadDeadline(time.Now().Add(c.read)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

func (c *timedConn) Write(p []byte) (int, error) {
	if c.write > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(c.write)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}
