package raft

import (
	"container/heap"
	"math"
	"time"
)

// leaseDeadlines holds the time at which each lease ends. Times are durations since a fixed moment, on the monotonic clock.
//
// A renewal takes constant time: it changes the deadline alone. The queue has each lease at the time at which it must be looked
// at next, which is never after its deadline. A lease that was renewed meanwhile is then put back at its new deadline. So a tick
// looks at one lease if none is due, and at each lease about once in its time to live.
//
// Only one goroutine at a time may use it.
type leaseDeadlines struct {
	byID  map[int64]*leaseDeadline
	queue leaseQueue
}

type leaseDeadline struct {
	id      int64
	ttl     time.Duration
	granted int64         // identifies the grant; see tree.Lease
	ends    time.Duration // the deadline
	next    time.Duration // when the lease must be looked at
	place   int           // in the queue, or notQueued
}

// notQueued is the place of a lease whose removal is proposed and not applied yet.
const notQueued = -1

func newLeaseDeadlines() *leaseDeadlines { return &leaseDeadlines{byID: map[int64]*leaseDeadline{}} }

// grant adds a lease with its full time to live, in seconds. It replaces an earlier lease with the same ID.
func (l *leaseDeadlines) grant(id, ttl, granted int64, now time.Duration) {
	l.remove(id)
	d := &leaseDeadline{id: id, ttl: time.Duration(ttl) * time.Second, granted: granted}
	d.renew(now)
	d.next = d.ends
	l.byID[id] = d
	heap.Push(&l.queue, d)
}

// renew gives the lease its full time to live from now on.
func (d *leaseDeadline) renew(now time.Duration) {
	d.ends = now + d.ttl
	if d.ends < now {
		d.ends = math.MaxInt64
	}
}

// remove removes a lease, if it exists.
func (l *leaseDeadlines) remove(id int64) {
	d := l.byID[id]
	if d == nil {
		return
	}
	delete(l.byID, id)
	if d.place != notQueued {
		heap.Remove(&l.queue, d.place)
	}
}

// isDue reports whether the deadline of a lease has passed.
func (l *leaseDeadlines) isDue(now time.Duration) bool {
	for len(l.queue) > 0 && l.queue[0].next <= now {
		first := l.queue[0]
		if first.ends <= now {
			return true
		}
		first.next = first.ends
		heap.Fix(&l.queue, 0)
	}
	return false
}

// takeDue removes the leases whose deadlines have passed from the queue, in the order of these deadlines, and returns them. They
// must then be removed, or be put back by requeue. It stops before the sum of the weights would exceed maxWeight, but returns at
// least one lease if one is due.
func (l *leaseDeadlines) takeDue(now time.Duration, maxWeight int, weight func(id int64) int) (due []*leaseDeadline) {
	for sum := 0; l.isDue(now); {
		first := l.queue[0]
		if sum += weight(first.id); sum > maxWeight && len(due) > 0 {
			break
		}
		heap.Pop(&l.queue)
		due = append(due, first)
	}
	return due
}

// requeue puts back a lease that takeDue has returned.
func (l *leaseDeadlines) requeue(d *leaseDeadline) {
	if l.byID[d.id] == d && d.place == notQueued {
		heap.Push(&l.queue, d)
	}
}

// leaseQueue is a heap of leases. The first one must be looked at first.
type leaseQueue []*leaseDeadline

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (q leaseQueue) Len() int { return len(q) }
func (q leaseQueue) Less(i, j int) bool {
	return q[i].next < q[j].next || q[i].next == q[j].next && q[i].id < q[j].id
}
func (q leaseQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push appends a lease.
func (q *leaseQueue) Push(x any) {
	d := x.(*leaseDeadline)
	d.place = len(*q)
	*q = append(*q, d)
}

// Pop removes the last lease.
func (q *leaseQueue) Pop() any {
	old := *q
	last := len(old) - 1
	d := old[last]
	old[last] = nil
	*q = old[:last]
	d.place = notQueued
	return d
}
