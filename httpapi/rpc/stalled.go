package rpc

import (
	"time"

	"golang.org/x/net/http2"
)

// If a client gives no window for the response to a unary call, the call is reset after Config.StallTimeout. The connection stays open.
// The clients of streaming calls may read at any time, and at most one message of such a call waits. It is only reset if its message is
// long, and other responses wait for the memory.

// noteBlocked records that a response waits for a window. progress says whether a part of it was sent just before. Callers must hold mu.
func (c *conn) noteBlocked(s *stream, progress pumpProgress) {
	s.holdUnsent(progress)
	timeout := c.server.cfg.StallTimeout
	if timeout <= 0 || s.finished || !s.isUnary() && s.responseMemory.Bytes() == 0 {
		return
	}
	if progress == partSent || s.since.IsZero() {
		s.since = time.Now()
	}
	if progress == partSent {
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
		case s.finished || len(s.unsent) == 0 || !s.isUnary() && s.responseMemory.Bytes() == 0:
		case !s.isUnary() && c.server.waiting.Load() == 0:
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
