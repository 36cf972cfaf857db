package pace

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	var p Pace
	start := time.Unix(1000, 0)
	var logged []time.Duration
	for at := time.Duration(0); at < 20*time.Minute; at += 100 * time.Millisecond {
		if p.Due(start.Add(at)) {
			logged = append(logged, at)
		}
	}
	want := []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second}
	for i, at := range want {
		if logged[i] != at {
			t.Errorf("the first times are %v, want %v", logged[:len(want)], want)
			break
		}
	}
	if n := len(logged); n < 10 || n > 14 {
		t.Errorf("logged %d times in 20 minutes, want 10 to 14", n)
	}
	if p.Reset(); !p.Due(start) {
		t.Error("Due is false after Reset")
	}
	if p.Due(start) {
		t.Error("Due is true twice at the same time")
	}
}
