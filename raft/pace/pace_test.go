package pace

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	var p Pace
	start := time.Unix(1000, 0)
	var told []time.Duration
	for at := time.Duration(0); at < 20*time.Minute; at += 100 * time.Millisecond {
		if p.Due(start.Add(at)) {
			told = append(told, at)
		}
	}
	want := []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second}
	for i, at := range want {
		if told[i] != at {
			t.Errorf("told at %v, want %v first", told[:len(want)], want)
			break
		}
	}
	if n := len(told); n < 10 || n > 14 {
		t.Errorf("told %d times in 20 minutes", n)
	}
	if p.Reset(); !p.Due(start) {
		t.Error("not told at once after a reset")
	}
	if p.Due(start) {
		t.Error("told twice at once")
	}
}
