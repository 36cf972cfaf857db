// Package budget bounds what requests and responses use at a time: the bytes of large ones in memory ([Bytes]), and the number of
// requests and of watches ([Count]).
//
// A caller reserves bytes before it allocates them, and releases the reservation when it no longer refers to them. Bytes that fit
// into the buffers of their connection are not reserved. All functions may be called from any goroutine.
package budget

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"pando/tree"
)

// Metrics counts reservations. It is called from any goroutine.
type Metrics interface {
	// InFlight adds to the number of reserved bytes. bytes is negative after a release.
	InFlight(bytes int64)
	// Overloaded counts a reservation that failed.
	Overloaded()
}

// Bytes is a budget of bytes.
type Bytes struct {
	limit   int64
	free    *semaphore.Weighted
	metrics Metrics
}

// New returns a budget of limit bytes.
func New(limit int64, metrics Metrics) *Bytes {
	return &Bytes{limit: limit, free: semaphore.NewWeighted(limit), metrics: metrics}
}

// ErrExhausted is the error of a reservation that failed. Its HTTP status is 503; other errors with CodeRaftInternal have the
// status 500.
var ErrExhausted = tree.NewError(tree.CodeRaftInternal,
	"too many bytes of other requests and answers are in flight (--max-inflight-bytes); a change may have been made all the same")

// Reservation is a number of reserved bytes. Its zero value reserves nothing. It must not be copied after the first call
// of Release.
type Reservation struct {
	budget *Bytes
	bytes  int64
}

// Bytes returns the number of reserved bytes.
func (r *Reservation) Bytes() int64 { return r.bytes }

// Release returns the bytes to the budget. Further calls have no effect.
func (r *Reservation) Release() {
	if r.bytes != 0 {
		r.Shrink(r.bytes)
	}
}

// Shrink returns n of the bytes to the budget.
func (r *Reservation) Shrink(n int64) {
	r.bytes -= n
	if r.budget != nil {
		r.budget.metrics.InFlight(-n)
		r.budget.free.Release(n)
	}
}

// Reserve reserves n bytes, or the whole budget if n is larger. It waits for free bytes until wait has passed, and then returns
// ErrExhausted. A nil budget has no limit. A caller must release its reservation before it reserves more. Otherwise callers could wait
// for each other until all of them fail.
func (b *Bytes) Reserve(n int64, wait time.Duration) (Reservation, error) {
	return b.ReserveContext(context.Background(), n, wait)
}

// ReserveContext is Reserve, but waits at most until ctx is done.
func (b *Bytes) ReserveContext(ctx context.Context, n int64, wait time.Duration) (Reservation, error) {
	if r, ok := b.TryReserve(n); ok {
		return r, nil
	}
	n = min(n, b.limit)
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if b.free.Acquire(ctx, n) != nil {
		b.metrics.Overloaded()
		return Reservation{}, ErrExhausted
	}
	b.metrics.InFlight(n)
	return Reservation{b, n}, nil
}

// TryReserve is like Reserve, but returns false instead of waiting. It does not call Overloaded.
func (b *Bytes) TryReserve(n int64) (Reservation, bool) {
	if b == nil {
		return Reservation{bytes: n}, true
	}
	n = min(n, b.limit)
	if !b.free.TryAcquire(n) {
		return Reservation{}, false
	}
	b.metrics.InFlight(n)
	return Reservation{b, n}, true
}

// Extend adds n bytes to a reservation of this budget; its zero value is one, too. It returns false if they are not free.
func (b *Bytes) Extend(r *Reservation, n int64) bool {
	if b != nil {
		if !b.free.TryAcquire(n) {
			return false
		}
		b.metrics.InFlight(n)
	}
	r.budget = b
	r.bytes += n
	return true
}
