package rpc

import (
	"errors"
	"time"

	"golang.org/x/net/http2"
)

// pingState is what a connection knows about pings. conn.mu guards it.
type pingState struct {
	// The pings of the client:
	last    time.Time // when the last one came
	strikes int       // those that came too early
	forgive bool      // something was sent since the last one: then it may come at any time

	// The pings of the server:
	timer   *time.Timer
	waiting bool // for any frame, after a ping

	final *time.Timer // ends the first step of conn.drain if the client does not answer; nil if there is no such step
}

// drainPing is what the ping of conn.drain carries.
var drainPing = [8]byte{'p', 'a', 'n', 'd', 'o', 'e', 'n', 'd'}

const (
	// maxStrikes is the number of pings that may come too early, as in grpc-go.
	maxStrikes = 2
	// idlePingTime is the shortest time between two pings on a connection without streams, as in grpc-go.
	idlePingTime = 2 * time.Hour
	// drainTimeout is how long conn.drain waits for an answer.
	drainTimeout = 5 * time.Second
)

var errIdle = errors.New("rpc: the client does not answer a ping")

// sent notes that headers or a message was appended.
func (p *pingState) sent() { p.forgive = true }

// begin starts the timer.
func (p *pingState) begin(c *conn) {
	p.timer = time.AfterFunc(c.server.cfg.PingInterval, func() { p.check(c) })
}

// stop stops the timers.
func (p *pingState) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.final != nil {
		p.final.Stop()
	}
}

// check sends a ping if no frame has arrived for the interval, and closes the connection if none has arrived after the ping.
func (p *pingState) check(c *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	active := c.active.Swap(false)
	switch {
	case c.err != nil:
	case active:
		p.waiting = false
		p.timer.Reset(c.server.cfg.PingInterval)
	case p.waiting:
		c.close(errIdle)
	default:
		p.waiting = true
		p.timer.Reset(c.server.cfg.PingTimeout)
		c.appendPing(false, [8]byte{})
		go c.flush() // may wait for the client
	}
}

// drain begins the first step of conn.drain: when the client answers the ping, it has seen that it must begin no more calls.
func (p *pingState) drain(c *conn) {
	if p.final != nil {
		return
	}
	c.appendPing(false, drainPing)
	p.final = time.AfterFunc(drainTimeout, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.drained()
	})
}

// pinged handles a ping, or the answer to one.
func (c *conn) pinged(f *http2.PingFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.IsAck() {
		if f.Data == drainPing && c.ping.final != nil {
			c.drained()
		}
		return nil
	}
	c.appendPing(true, f.Data)
	if !c.ping.allows(time.Now(), len(c.streams) > 0, c.server.cfg.PingMinTime) {
		c.sayGoodbye(http2.ErrCodeEnhanceYourCalm, "too_many_pings")
		c.close(http2.ConnectionError(http2.ErrCodeEnhanceYourCalm))
	}
	return nil
}

// allows counts a ping of the client. It returns false after too many that came too early.
func (p *pingState) allows(now time.Time, streams bool, least time.Duration) bool {
	last := p.last
	p.last = now
	if p.forgive {
		p.forgive, p.strikes = false, 0
		return true
	}
	if !streams {
		least = idlePingTime
	}
	if last.Add(least).After(now) {
		p.strikes++
	}
	return p.strikes <= maxStrikes
}

// goodbyeTimeout bounds the last write to a client that has made an error.
const goodbyeTimeout = time.Second

// sayGoodbye writes what waits and a GOAWAY. Callers must hold mu, and must close the connection then.
func (c *conn) sayGoodbye(code http2.ErrCode, text string) {
	c.appendGoAway(c.lastStream, code, text)
	if c.writing {
		return // the goroutine that writes may be in the middle of a frame
	}
	_ = c.net.SetWriteDeadline(time.Now().Add(goodbyeTimeout))
	_, _ = c.net.Write(c.out) // an error means that the client is gone
}
