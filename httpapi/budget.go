package httpapi

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"pando/stats"
	"pando/tree"
)

// budget bounds the bytes that large requests and large answers hold together. What
// fits into the buffer that a connection may have anyway is not counted. Any goroutine
// may use it.
type budget struct {
	limit   int64
	room    *semaphore.Weighted
	metrics *stats.Metrics
}

func newBudget(limit int64, metrics *stats.Metrics) *budget {
	return &budget{limit: limit, room: semaphore.NewWeighted(limit), metrics: metrics}
}

// errNoRoom answers a request that found no room for its bytes. Its status is not
// that of its code.
var errNoRoom = tree.NewError(tree.CodeRaftInternal,
	"too many bytes of other requests and answers are in flight (--max-inflight-bytes); a change may have been made all the same")

// reservation is room in a budget. Its zero value is none.
type reservation struct {
	budget *budget
	bytes  int64
}

// free gives the room back; a second time does nothing.
func (r *reservation) free() {
	if r.budget != nil {
		r.budget.metrics.InFlight(-r.bytes)
		r.budget.room.Release(r.bytes)
		r.budget = nil
	}
}

// reserve waits for room for n bytes, and no longer than patience. What is larger
// than the whole budget takes all of it. The caller must free it in the end, and before
// it reserves more: or all could wait for each other.
func (b *budget) reserve(n int64, patience time.Duration) (reservation, error) {
	if room, ok := b.try(n); ok {
		return room, nil
	}
	n = min(n, b.limit)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if b.room.Acquire(ctx, n) != nil {
		b.metrics.Overloaded()
		return reservation{}, errNoRoom
	}
	b.metrics.InFlight(n)
	return reservation{b, n}, nil
}

// try is reserve without the waiting.
func (b *budget) try(n int64) (room reservation, ok bool) {
	n = min(n, b.limit)
	if !b.room.TryAcquire(n) {
		return reservation{}, false
	}
	b.metrics.InFlight(n)
	return reservation{b, n}, true
}
