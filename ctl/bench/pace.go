package bench

import (
	"context"
	"sync/atomic"
	"time"
)

// A phase is an amount of load. It ends at the limit that is reached first; without a limit, it ends when it is stopped.
type phase struct {
	total    uint64        // operations; 0 means no limit
	duration time.Duration // 0 means no limit
	rate     float64       // operations per second over all clients; 0 means as fast as they are answered
}

// A pacer hands out the operations of a phase: each has a number and a time at which it is due. Any goroutine may use it.
type pacer struct {
	phase
	start    time.Time
	interval float64 // nanoseconds between two operations; 0 without a rate
	issued   atomic.Uint64
	stopped  atomic.Bool
	done     <-chan struct{} // closed when the phase is interrupted
}

func newPacer(ctx context.Context, ph phase) *pacer {
	p := &pacer{phase: ph, start: time.Now(), done: ctx.Done()}
	if ph.rate > 0 {
		p.interval = float64(time.Second) / ph.rate
	}
	return p
}

// next waits until the caller's next operation is due. It returns the number of the operation and the beginning of its latency. ok is
// false when the phase has ended. timer must be stopped, and is used by this caller only.
//
// With a rate, the latency of an operation that is late, because the operation before it took long, begins when it was due: a stall
// of the server counts for each operation that it delays. If next had to wait, the latency begins after the wait, so that a late
// timer does not count for the server.
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

// pause waits for d. It returns false if the phase is interrupted first.
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

// stop ends the phase: next returns false from now on.
func (p *pacer) stop() { p.stopped.Store(true) }

// progress returns the finished fraction of the phase, or -1 if the phase has no limit.
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
