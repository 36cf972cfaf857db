package rpc

import (
	"time"

	"golang.org/x/net/http2"
)

// A client that gives no window for a response to a single request is cut off after Config.StallTimeout: only the stream is reset. Streams
// of gRPC are not: their clients may take messages whenever they want, and a stream has at most one message that waits.

// noteBlocked notes that a response waits for a window. sent says that a part of it was sent just before. Callers must hold mu.
func (c *conn) noteBlocked(s *stream, sent bool) {
	timeout := c.server.cfg.StallTimeout
	if timeout <= 0 || !s.isCall() {
		return
	}
	if sent || s.since.IsZero() {
		s.since = time.Now()
	}
	if sent {
		c.lastSent = s.since
	}
	if c.stallTimer == nil {
		c.stallTimer = time.AfterFunc(timeout, c.cutOffStalled)
	}
}

// cutOffStalled resets the streams whose clients have taken nothing for the timeout.
func (c *conn) cutOffStalled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	timeout, now, waiting := c.server.cfg.StallTimeout, time.Now(), false
	for _, s := range append([]*stream(nil), c.blocked...) {
		switch {
		case !s.isCall() || s.finished || len(s.unsent) == 0:
		case now.Sub(s.since) >= timeout && (s.window <= 0 || c.window <= 0 && now.Sub(c.lastSent) >= timeout):
			c.appendReset(s.id, http2.ErrCodeCancel)
			c.removeStream(s)
			if c.server.cfg.Stalled != nil {
				c.server.cfg.Stalled(c.net)
			}
		default:
			waiting = true
		}
	}
	if c.stallTimer = nil; waiting && c.err == nil {
		c.stallTimer = time.AfterFunc(timeout/4, c.cutOffStalled)
	}
	go c.flush() // may wait for the client
}
