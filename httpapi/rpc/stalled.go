package rpc

import (
	"time"

	"golang.org/x/net/http2"
)

// If a client gives no window for the response to a call with one request, the call is reset after Config.StallTimeout. The connection
// stays open. The clients of streams may read at any time, and at most one message of a stream waits. A stream is only reset if its message
// is long, and other responses wait for the memory.

// noteBlocked records that a response waits for a window. sent reports whether a part of it was sent just before. Callers must hold mu.
func (c *conn) noteBlocked(s *stream, sent bool) {
	s.holdUnsent(sent)
	timeout := c.server.cfg.StallTimeout
	if timeout <= 0 || s.finished || !s.isCall() && s.responseMemory.Bytes() == 0 {
		return
	}
	if sent || s.since.IsZero() {
		s.since = time.Now()
	}
	if sent {
		c.lastSent = s.since
	}
	if c.stallTimer == nil {
		c.stallTimer = time.AfterFunc(timeout, c.resetStalled)
	}
}

// resetStalled resets the calls whose clients have given no window for Config.StallTimeout.
func (c *conn) resetStalled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	timeout, now, waiting := c.server.cfg.StallTimeout, time.Now(), false
	for _, s := range append([]*stream(nil), c.blocked...) {
		switch {
		case s.finished || len(s.unsent) == 0 || !s.isCall() && s.responseMemory.Bytes() == 0:
		case !s.isCall() && c.server.waiting.Load() == 0:
			waiting = true // no other response needs its memory
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
		c.stallTimer = time.AfterFunc(timeout/4, c.resetStalled)
	}
	go c.flush() // may wait for the client
}
