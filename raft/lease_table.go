package raft

import (
	"sync"
	"time"

	"pando/raft/transport"
)

// leaseTable holds the deadlines of the leases while this member leads. Any goroutine may renew leases and read their remaining
// times. All other methods may be called only by the goroutine that has the turn.
type leaseTable struct {
	start time.Time

	mu        sync.Mutex
	deadlines *leaseDeadlines // nil while the table is not active
}

func newLeaseTable() *leaseTable { return &leaseTable{start: time.Now()} }

func (t *leaseTable) now() time.Duration { return time.Since(t.start) }

// activate makes the table answer requests. It has all leases of the tree.
func (t *leaseTable) activate(all *leaseDeadlines) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deadlines = all
}

// deactivate makes the table refuse requests until it is active again, and drops all deadlines.
func (t *leaseTable) deactivate() { t.activate(nil) }

// update changes the leases, unless the table is not active.
func (t *leaseTable) update(change func(l *leaseDeadlines, now time.Duration)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.deadlines != nil {
		change(t.deadlines, t.now())
	}
}

// answer renews leases, or returns their remaining times, and returns the answers in the order of the requests. ok is false if
// the table is not active. A lease whose time has ended is never renewed once its removal is proposed.
func (t *leaseTable) answer(requests []transport.LeaseRequest) (answers []transport.LeaseAnswer, ok bool) {
	answers = make([]transport.LeaseAnswer, len(requests))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.deadlines == nil {
		return nil, false
	}
	now := t.now()
	for i, r := range requests {
		d := t.deadlines.byID[r.ID]
		switch {
		case d == nil:
			answers[i].Missing = true
		case !r.Renew:
			answers[i].TTL = max(0, int64((d.ends-now)/time.Second))
		case d.place == notQueued:
			answers[i].Revoking = true
		default:
			d.renew(now)
			answers[i].TTL = int64(d.ttl / time.Second)
		}
	}
	return answers, true
}
