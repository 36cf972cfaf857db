package stats

import (
	"testing"
	"time"
)

func TestWindow(t *testing.T) {
	check := func(t *testing.T, w *window, now time.Time, requests, bytes float64) {
		t.Helper()
		if r, b := w.rates(now); r != requests || b != bytes {
			t.Errorf("rates are %v and %v, want %v and %v", r, b, requests, bytes)
		}
	}
	t.Run("empty", func(t *testing.T) {
		check(t, new(window), newClock().now(), 0, 0)
	})
	t.Run("one request spans no time", func(t *testing.T) {
		var w window
		c := newClock()
		w.add(c.now(), 10)
		check(t, &w, c.now(), 0, 0)
		c.pass(time.Millisecond)
		check(t, &w, c.now(), 0, 0)
	})
	t.Run("two", func(t *testing.T) {
		var w window
		c := newClock()
		w.add(c.now(), 10)
		c.pass(500 * time.Millisecond)
		w.add(c.now(), 30)
		check(t, &w, c.now(), 4, 80)
		c.pass(time.Second) // not older than idleAfter
		check(t, &w, c.now(), 4, 80)
		c.pass(1)
		check(t, &w, c.now(), 0, 0)
	})
	t.Run("the last 200 count", func(t *testing.T) {
		var w window
		c := newClock()
		for range 300 { // slow and large ones, which the next ones replace
			w.add(c.now(), 1000)
			c.pass(time.Second)
		}
		for range 199 {
			w.add(c.now(), 1)
			c.pass(time.Second / 199)
		}
		w.add(c.now(), 1)
		if w.count != 200 || w.bytes != 200 {
			t.Errorf("the window holds %d requests of %d bytes, want 200 of 200", w.count, w.bytes)
		}
		span := (199 * (time.Second / 199)).Seconds()
		check(t, &w, c.now(), 200/span, 200/span)
	})
	t.Run("a pause removes the samples", func(t *testing.T) {
		var w window
		c := newClock()
		for range 50 {
			w.add(c.now(), 1000)
			c.pass(time.Millisecond)
		}
		c.pass(time.Hour)
		w.add(c.now(), 10)
		c.pass(250 * time.Millisecond)
		w.add(c.now(), 10)
		check(t, &w, c.now(), 8, 80)
	})
}
