package tuning

import (
	"runtime"
	"slices"
	"testing"
	"time"
)

// TestWaitByLoad waits in system calls after an interval in which the process was busy,
// and sleeps after any other.
func TestWaitByLoad(t *testing.T) {
	used := []time.Duration{0, busyTime - 1, 2*busyTime - 1, 3*busyTime - 1, 3 * busyTime}
	want := []string{"idle", "idle", "busy", "busy", "idle"}
	var got []string
	wait := func(how string) func(time.Duration) {
		return func(d time.Duration) {
			if d != loadInterval {
				t.Errorf("it waits for %v, want %v", d, loadInterval)
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
		waitByLoad(clock, wait("idle"), wait("busy"))
	}()
	<-done
	if !slices.Equal(got, want) {
		t.Errorf("it waits %v, want %v", got, want)
	}
}

// TestWaitInSystemCalls checks that the wait is as long as asked.
func TestWaitInSystemCalls(t *testing.T) {
	began := time.Now()
	waitInSystemCalls(4 * pollTime)
	if waited := time.Since(began); waited < 4*pollTime {
		t.Errorf("it waited for %v, want %v", waited, 4*pollTime)
	}
}

// TestProcessorTime uses processor time until the clock shows it.
func TestProcessorTime(t *testing.T) {
	before := processorTime()
	for end := time.Now().Add(10 * time.Second); processorTime() == before; {
		if time.Now().After(end) {
			t.Fatalf("no processor time was used in 10 s of work: %v", before)
		}
	}
}
