package raft

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestLeaseDeadlinesModel grants, renews and removes leases at random, and compares what is due with a model.
func TestLeaseDeadlinesModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	l, want := newLeaseDeadlines(), map[int64]time.Duration{}
	one := func(int64) int { return 1 }
	now := time.Duration(0)
	for range 20_000 {
		id := random.Int64N(50)
		switch random.IntN(10) {
		case 0, 1:
			ttl := 1 + random.Int64N(100)
			l.grant(id, ttl, 0, now)
			want[id] = now + time.Duration(ttl)*time.Second
		case 2:
			l.remove(id)
			delete(want, id)
		case 3, 4, 5, 6:
			if d := l.byID[id]; d != nil {
				d.renew(now)
				want[id] = now + d.ttl
			}
		default:
			now += time.Duration(random.IntN(10)) * time.Second
			var due []int64
			for _, d := range l.takeDue(now, math.MaxInt, one) {
				due = append(due, d.id)
				if random.IntN(2) == 0 {
					l.requeue(d)
					continue
				}
				l.remove(d.id)
				delete(want, d.id)
			}
			checkDue(t, l, want, now, due)
		}
		if !slices.Equal(slices.Sorted(maps.Keys(l.byID)), slices.Sorted(maps.Keys(want))) {
			t.Fatal("other leases than those of the model")
		}
	}
}

// checkDue checks that due are all leases whose deadlines have passed, of those that are left in the model, and that the others
// are not due.
func checkDue(t *testing.T, l *leaseDeadlines, left map[int64]time.Duration, now time.Duration, due []int64) {
	t.Helper()
	for id, ends := range left {
		if ends <= now && !slices.Contains(due, id) {
			t.Fatalf("lease %d ended at %v, and is not due at %v", id, ends, now)
		}
		if ends > now && slices.Contains(due, id) {
			t.Fatalf("lease %d ends at %v, and is due at %v", id, ends, now)
		}
		if l.byID[id].place == notQueued {
			t.Fatalf("lease %d is not in the queue", id)
		}
	}
	for i, d := range l.queue {
		if d.place != i || d.next > d.ends {
			t.Fatalf("lease %d has place %d at %d, and is looked at %v after its end", d.id, d.place, i, d.next-d.ends)
		}
	}
}

func TestLeaseDeadlines(t *testing.T) {
	t.Run("the weight bounds what is taken", func(t *testing.T) {
		l := newLeaseDeadlines()
		for id := range int64(10) {
			l.grant(id, 1+id, 0, 0)
		}
		weight := func(id int64) int { return map[bool]int{true: 100, false: 3}[id == 4] }
		var sizes []int
		for {
			due := l.takeDue(time.Minute, 10, weight)
			if len(due) == 0 {
				break
			}
			sizes = append(sizes, len(due))
		}
		if want := []int{3, 1, 1, 3, 2}; !slices.Equal(sizes, want) {
			t.Errorf("batches of %v leases, want %v", sizes, want)
		}
	})
	t.Run("the longest time to live", func(t *testing.T) {
		l := newLeaseDeadlines()
		l.grant(1, 9_000_000_000, 0, math.MaxInt64/2)
		if l.isDue(math.MaxInt64 - 1) {
			t.Error("a lease of 285 years has ended")
		}
	})
	t.Run("a lease that was replaced is not put back", func(t *testing.T) {
		l := newLeaseDeadlines()
		l.grant(1, 1, 10, 0)
		old := l.takeDue(time.Second, 1, func(int64) int { return 1 })[0]
		l.grant(1, 1, 11, time.Second)
		l.requeue(old)
		if len(l.queue) != 1 || l.queue[0].granted != 11 {
			t.Errorf("%d leases in the queue", len(l.queue))
		}
	})
}

// BenchmarkLeases has 100,000 leases with a time to live of a minute, each renewed three times in it. It measures the tenth of a
// second between two ticks: its renewals and the tick.
func BenchmarkLeases(b *testing.B) {
	const leases = 100_000
	l, now := newLeaseDeadlines(), time.Duration(0)
	for id := range int64(leases) {
		l.grant(id, 60, 0, time.Duration(rand.Int64N(int64(time.Minute))))
	}
	b.ReportAllocs()
	next := int64(0)
	for b.Loop() {
		now += 100 * time.Millisecond
		for range leases * 3 / 600 {
			l.byID[next%leases].renew(now)
			next++
		}
		if l.isDue(now) && now > 2*time.Minute {
			b.Fatal("a lease that is renewed has ended")
		}
		for _, d := range l.takeDue(now, math.MaxInt, func(int64) int { return 1 }) {
			d.renew(now)
			l.requeue(d)
		}
	}
}
