package raft

import (
	"math"
	"slices"
	"testing"
	"time"

	"pando/raft/transport"
)

func TestLeaseTable(t *testing.T) {
	table := newLeaseTable()
	requests := []transport.LeaseRequest{{ID: 1, Renew: true}, {ID: 1}, {ID: 2, Renew: true}, {ID: 2}}
	check := func(what string, want ...transport.LeaseAnswer) {
		t.Helper()
		got, ok := table.answer(requests)
		if ok != (want != nil) || !slices.Equal(got, want) {
			t.Errorf("%s: %+v, %t", what, got, ok)
		}
	}
	missing := transport.LeaseAnswer{Missing: true}
	check("before it is active")
	all := newLeaseDeadlines()
	all.grant(1, 100, 0, 0)
	table.activate(all)
	check("a lease", transport.LeaseAnswer{TTL: 100}, transport.LeaseAnswer{TTL: 100}, missing, missing)
	var due []*leaseDeadline
	table.update(func(l *leaseDeadlines, _ time.Duration) {
		due = l.takeDue(math.MaxInt64, 1, func(int64) int { return 1 })
		l.byID[1].ends = 0
	})
	check("a lease whose removal is proposed", transport.LeaseAnswer{Revoking: true}, transport.LeaseAnswer{}, missing, missing)
	table.update(func(l *leaseDeadlines, _ time.Duration) { l.requeue(due[0]) })
	check("a lease whose removal was refused", transport.LeaseAnswer{TTL: 100}, transport.LeaseAnswer{TTL: 100}, missing, missing)
	table.update(func(l *leaseDeadlines, _ time.Duration) { l.remove(1) })
	check("a lease that was removed", missing, missing, missing, missing)
	table.deactivate()
	check("after it was active")
}
