package bench

import (
	"context"
	"sync/atomic"
	"time"
)

// A phase is how much load is made: the first limit that is reached ends it. Without a limit it goes on until it is
// stopped.
type phase struct {
	total    uint64        // operations; 0 means no limit
	duration time.Duration // 0 means no limit
	rate     float64       // operations per second over all clients; 0 means as fast as they are answered
}

// A pacer hands out the operations of a phase to its clients: which number, and when. Safe for all of them at once.
type pacer struct {
	phase
	start    time.Time
	interval float64 // nanoseconds between two operations; 0 without a rate
	issued   atomic.Uint64
	stopped  atomic.Bool
	done     <-chan struct{} // closed when the phase is cut short
}

func newPacer(ctx context.Context, ph phase) *pacer {
	p := &pacer{phase: ph, start: time.Now(), done: ctx.Done()}
	if ph.rate > 0 {
		p.interval = float64(time.Second) / ph.rate
	}
	return p
}

// next returns the number of the caller's next operation and the moment from which its latency counts, after having
// waited for its turn. ok is false when the phase has ended. timer is the caller's own, stopped.
//
// With a rate, an operation that starts late because the one before it took long is counted from the moment at which
// it should have started: a server that stalls is charged for the load it kept waiting. One that waited for its turn
// is counted from its real start, so that a timer's lateness is not charged to the server.
func (p *pacer) next(timer *time.Timer) (op uint64, from time.Time, ok bool) {
	now := time.Now()
	if p.stopped.Load() || p.duration > 0 && now.Sub(p.start) >= p.duration {
		return 0, now, false
	}
	op = p.issued.Add(1) - 1
	if p.total > 0 && op >= p.total {
		return 0, now, false
	}
	if p.interval == 0 {
		return op, now, true
	}
	due := p.start.Add(time.Duration(float64(op) * p.interval))
	wait := due.Sub(now)
	if wait <= 0 {
		return op, due, true
	}
	if p.duration > 0 && due.Sub(p.start) >= p.duration {
		return 0, now, false
	}
	timer.Reset(wait)
	select {
	case <-timer.C:
		return op, time.Now(), true
	case <-p.done:
		timer.Stop()
		return 0, now, false
	}
}

// pause waits for d, or until the phase is cut short; then it returns false.
func (p *pacer) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.done:
		return false
	}
}

// stop makes every next from now on return false.
func (p *pacer) stop() { p.stopped.Store(true) }

// progress tells how much of the phase is done, as a fraction; -1 for a phase without limit.
func (p *pacer) progress() float64 {
	fraction := -1.0
	if p.total > 0 {
		fraction = float64(p.issued.Load()) / float64(p.total)
	}
	if p.duration > 0 {
		fraction = max(fraction, float64(time.Since(p.start))/float64(p.duration))
	}
	return min(fraction, 1)
}
