package httpapi

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"pando/stats"
)

// Stalls says what becomes of clients that take nothing of what is sent to them. All
// fields must be set.
type Stalls struct {
	// Timeout is how long a client may take nothing.
	Timeout time.Duration
	Metrics *stats.Metrics
	Logger  *zap.Logger
}

// errStalled ends a write to a client that takes nothing.
var errStalled = errors.New("httpapi: the client takes nothing")

// report tells of a connection that is given up.
func (s *Stalls) report(c net.Conn, left int) {
	s.Metrics.Stalled()
	s.Logger.Warn("a client that took nothing was cut off (--client-stall-timeout)",
		zap.Stringer("client", c.RemoteAddr()), zap.Duration("after", s.Timeout), zap.Int("unsent-bytes", left))
}

// stallRounds is how often a client is looked at until it counts as stalled. The
// system does not wake a writer before a third of the socket's buffer is free, which a
// slow client may not reach in time; but at the beginning of a round whatever is free
// is used.
const stallRounds = 4

// deadlines are those of a connection's writes. The socket has one all the time, which
// is moved when it comes near: doing so at each write would cost more than it is worth.
type deadlines struct {
	mu    sync.Mutex
	asked time.Time // by net/http or TLS; zero for none
	set   time.Time // the one that the socket has, zero for none
}

// Write waits for a client that is slow, as long as it takes anything at all. One that
// takes nothing for the time-out gets no more.
func (c *conn) Write(b []byte) (int, error) {
	if c.stalls == nil {
		return c.Conn.Write(b)
	}
	round := c.stalls.Timeout / stallRounds
	sent, idle, slack := 0, 0, round/2
	for {
		rolling, err := c.beginWrite(round, slack)
		if err != nil {
			return sent, err
		}
		n, err := c.Conn.Write(b[sent:])
		sent += n
		if err == nil || !rolling || !errors.Is(err, os.ErrDeadlineExceeded) {
			return sent, err
		}
		if idle, slack = idle+1, 0; n > 0 {
			idle = 0
		}
		if idle == stallRounds {
			c.stalls.report(c, len(b)-sent)
			return sent, fmt.Errorf("%w for %v", errStalled, c.stalls.Timeout)
		}
	}
}

// beginWrite sees to it that the socket has a deadline a round away, or up to slack
// later, so that it need not be moved soon. It reports false if another one was asked for.
func (c *conn) beginWrite(round, slack time.Duration) (rolling bool, err error) {
	d := &c.writing
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.asked.IsZero() {
		return false, nil
	}
	now := time.Now()
	if d.set.After(now.Add(round)) {
		return true, nil
	}
	d.set = now.Add(round + slack)
	return true, c.Conn.SetWriteDeadline(d.set)
}

// endWrites takes the deadline away that writes have left: an attempt needs none, and
// would find it in its way.
func (c *conn) endWrites() {
	d := &c.writing
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked.IsZero() && !d.set.IsZero() {
		d.set = time.Time{}
		_ = c.Conn.SetWriteDeadline(d.set) // a connection that is closed has none anyway
	}
}

// SetWriteDeadline does not tell the socket that there is none: the next write will
// set one.
func (c *conn) SetWriteDeadline(t time.Time) error {
	if c.stalls == nil {
		return c.Conn.SetWriteDeadline(t)
	}
	d := &c.writing
	d.mu.Lock()
	defer d.mu.Unlock()
	if t.IsZero() && d.asked.IsZero() {
		return nil
	}
	d.asked, d.set = t, t
	return c.Conn.SetWriteDeadline(t)
}
