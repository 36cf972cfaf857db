package tuning

import (
	"runtime"
	"slices"
	"testing"
	"time"
)

// TestCalm waits in system calls after a time in which the process was at work, and
// idly after any other.
func TestCalm(t *testing.T) {
	used := []time.Duration{0, atWork - 1, 2*atWork - 1, 3*atWork - 1, 3 * atWork}
	want := []string{"idle", "idle", "busy", "busy", "idle"}
	var got []string
	wait := func(how string) func(time.Duration) {
		return func(d time.Duration) {
			if d != lookEvery {
				t.Errorf("it waits for %v, want %v", d, lookEvery)
			}
			if got = append(got, how); len(got) == len(want) {
				runtime.Goexit()
			}
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		reads := 0
		clock := func() time.Duration { reads++; return used[reads-1] }
		calm(clock, wait("idle"), wait("busy"))
	}()
	<-done
	if !slices.Equal(got, want) {
		t.Errorf("it waits %v, want %v", got, want)
	}
}

// TestHold waits as long as it is told.
func TestHold(t *testing.T) {
	began := time.Now()
	hold(4 * holdFor)
	if waited := time.Since(began); waited < 4*holdFor {
		t.Errorf("it waited for %v, want %v", waited, 4*holdFor)
	}
}

// TestProcessorTime works until the clock tells so.
func TestProcessorTime(t *testing.T) {
	before := processorTime()
	for end := time.Now().Add(10 * time.Second); processorTime() == before; {
		if time.Now().After(end) {
			t.Fatalf("no processor time was used in 10 s of work: %v", before)
		}
	}
}
