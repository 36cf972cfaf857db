package raft

import (
	"slices"
	"testing"
	"time"
)

func TestDeadlines(t *testing.T) {
	const tick = 10 * time.Millisecond
	start := time.Now()
	type expiry struct {
		name string
		tick int
	}
	var expired []expiry
	at := 0 // the tick that is advanced to
	d := deadlines{tick: tick}
	add := func(name string) *deadline {
		return d.add(func(time.Time) { expired = append(expired, expiry{name, at}) })
	}
	advance := func(ticks int) {
		for range ticks {
			at++
			d.advance(start.Add(time.Duration(at) * tick))
		}
	}
	once, later, canceled, unset := add("once"), add("later"), add("canceled"), add("unset")
	repeated := d.add(nil)
	repeated.expire = func(now time.Time) {
		expired = append(expired, expiry{"repeated", at})
		repeated.set(now.Add(2 * tick))
	}
	once.set(start.Add(tick))
	later.set(start.Add(5 * tick))
	later.setEarliest(start.Add(3 * tick))
	later.setEarliest(start.Add(4 * tick))
	canceled.set(start.Add(tick))
	canceled.cancel()
	repeated.set(start.Add(2 * tick))
	advance(6)
	want := []expiry{{"once", 1}, {"repeated", 2}, {"later", 3}, {"repeated", 4}, {"repeated", 6}}
	if !slices.Equal(expired, want) {
		t.Errorf("expired %v, want %v", expired, want)
	}
	if once.isSet() || canceled.isSet() || unset.isSet() || !repeated.isSet() {
		t.Error("a deadline is set after it has expired or was canceled, or one that was set again is not")
	}
}

// TestInTicks compares the times of deadlines that are set between two ticks with the ticks that follow.
func TestInTicks(t *testing.T) {
	const tick = time.Hour
	d := deadlines{tick: tick}
	next := time.Now().Add(tick / 2) // the first tick from now
	for n := 1; n <= 3; n++ {
		at := d.inTicks(n)
		nth := next.Add(time.Duration(n-1) * tick)
		if at.After(nth) || !at.After(nth.Add(-tick)) {
			t.Errorf("a deadline in %d ticks is at %v, want it with the tick at %v", n, at, nth)
		}
	}
}
