package stream

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
)

// StallPolicy contains the parameters for cutting off clients that do not read. All fields must be set.
type StallPolicy struct {
	// Timeout bounds how long a client may read nothing of a response.
	Timeout time.Duration
	Metrics StallMetrics
	Logger  *zap.Logger
}

// StallMetrics counts clients that are cut off. It is called from any goroutine.
type StallMetrics interface {
	// Stalled counts a client that did not read.
	Stalled()
}

// report counts and logs a client that is cut off.
func (p *StallPolicy) report(client string, unsent int) {
	p.Metrics.Stalled()
	p.Logger.Warn("a client that read nothing was cut off (--client-stall-timeout)",
		zap.String("client", client), zap.Duration("after", p.Timeout), zap.Int("unsent-bytes", unsent))
}

// stallRounds is the number of rounds into which the timeout is divided. A client is stalled after stallRounds rounds in a row
// without a written byte. The kernel does not wake a writer before a third of the socket's buffer is free, and a slow client may need
// longer than the timeout to free that much. But the write at the beginning of a round uses any free space.
const stallRounds = 4

// writeDeadline is the deadline of a connection's writes. The socket keeps its deadline between writes. Write moves the deadline only
// when it is near, because moving it at each write would cost too much.
type writeDeadline struct {
	mu     sync.Mutex
	wanted time.Time // set by net/http or TLS; zero for none
	set    time.Time // the deadline of the socket; zero for none
}

// Write waits for a slow client as long as the client reads anything within the policy's timeout. Otherwise it returns an error that
// wraps ErrStalled. A deadline of SetWriteDeadline replaces that of the policy.
func (c *conn) Write(b []byte) (int, error) {
	if c.policy == nil {
		return c.Conn.Write(b)
	}
	round := c.policy.Timeout / stallRounds
	sent, idleRounds, slack := 0, 0, round/2
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
		if idleRounds, slack = idleRounds+1, 0; n > 0 {
			idleRounds = 0
		}
		if idleRounds == stallRounds {
			c.policy.report(c.RemoteAddr().String(), len(b)-sent)
			return sent, fmt.Errorf("%w for %v", ErrStalled, c.policy.Timeout)
		}
	}
}

// beginWrite makes sure that the socket's deadline is at least one round from now. If it has to move the deadline, it adds slack, so
// that the next write need not move it. beginWrite returns false if a deadline of SetWriteDeadline applies instead.
func (c *conn) beginWrite(round, slack time.Duration) (rolling bool, err error) {
	d := &c.writes
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.wanted.IsZero() {
		return false, nil
	}
	now := time.Now()
	if d.set.After(now.Add(round)) {
		return true, nil
	}
	d.set = now.Add(round + slack)
	return true, c.Conn.SetWriteDeadline(d.set)
}

// clearWriteDeadline removes the socket's deadline. A socket whose deadline has passed fails non-blocking writes, too.
func (c *conn) clearWriteDeadline() {
	d := &c.writes
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wanted.IsZero() && !d.set.IsZero() {
		d.set = time.Time{}
		_ = c.Conn.SetWriteDeadline(d.set) // an error means that the connection is closed; the next write reports it
	}
}

// SetWriteDeadline replaces the deadline of the policy. The zero time restores it at the next write.
func (c *conn) SetWriteDeadline(t time.Time) error {
	if c.policy == nil {
		return c.Conn.SetWriteDeadline(t)
	}
	d := &c.writes
	d.mu.Lock()
	defer d.mu.Unlock()
	if t.IsZero() && d.wanted.IsZero() {
		return nil
	}
	d.wanted, d.set = t, t
	return c.Conn.SetWriteDeadline(t)
}
