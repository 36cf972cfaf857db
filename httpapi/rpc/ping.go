package rpc

import (
	"errors"
	"time"

	"golang.org/x/net/http2"
)

// pingState is the state of the pings of a connection. conn.mu guards it.
type pingState struct {
	// The pings of the client:
	last      time.Time // when the last one arrived
	early     int       // the number of pings that came too early
	sentSince bool      // headers or a message was sent since the last ping: the next one is never too early

	// The pings of the server:
	timer   *time.Timer
	waiting bool // for any frame, after a ping

	final *time.Timer // ends the first step of conn.drain if the client does not answer its ping; nil before conn.drain
}

// drainPing is the data of the ping that conn.drain sends.
var drainPing = [8]byte{'p', 'a', 'n', 'd', 'o', 'e', 'n', 'd'}

const (
	// maxEarlyPings is the number of pings that may come too early, as in grpc-go.
	maxEarlyPings = 2
	// idlePingTime is the shortest time between two pings on a connection without streams, as in grpc-go.
	idlePingTime = 2 * time.Hour
	// drainTimeout is how long conn.drain waits for the answer to its ping.
	drainTimeout = time.Second
)

var errIdle = errors.New("rpc: the client does not answer a ping")

// sent records that headers or a message was appended to the output.
func (p *pingState) sent() { p.sentSince = true }

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

// check sends a ping if no frame has arrived for the interval. It closes the connection if no frame has arrived after the ping.
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
		c.appendPing(0, [8]byte{})
		go c.flush() // may wait for the client
	}
}

// drain begins the first step of conn.drain: it sends a ping. The answer to the ping proves that the client has read the GOAWAY before it.
func (p *pingState) drain(c *conn) {
	if p.final != nil {
		return
	}
	c.appendPing(0, drainPing)
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
	c.appendPing(http2.FlagPingAck, f.Data)
	minTime := c.server.cfg.PingMinTime
	if len(c.streams) == 0 {
		minTime = idlePingTime
	}
	if !c.ping.allows(time.Now(), minTime) {
		c.server.count(TooManyPings)
		c.writeGoAway(http2.ErrCodeEnhanceYourCalm, "too_many_pings")
		c.close(http2.ConnectionError(http2.ErrCodeEnhanceYourCalm))
	}
	return nil
}

// allows counts a ping of the client. It returns false if more than maxEarlyPings have come before minTime had passed.
func (p *pingState) allows(now time.Time, minTime time.Duration) bool {
	last := p.last
	p.last = now
	if p.sentSince {
		p.sentSince, p.early = false, 0
		return true
	}
	if last.Add(minTime).After(now) {
		p.early++
	}
	return p.early <= maxEarlyPings
}

// goAwayTimeout bounds the last write to a client that has violated the protocol.
const goAwayTimeout = time.Second

// writeGoAway writes the rest of the output and a GOAWAY. Callers must hold mu, and must close the connection afterwards.
func (c *conn) writeGoAway(code http2.ErrCode, text string) {
	c.appendGoAway(c.lastStream, code, text)
	if c.writing {
		return // the goroutine that writes may be in the middle of a frame
	}
	_ = c.net.SetWriteDeadline(time.Now().Add(goAwayTimeout))
	_, _ = c.net.Write(c.out) // an error means that the connection is broken
}
