package tuning

import (
	"runtime"
	"testing"
)

// TestHasSettled distinguishes a quiet process with garbage from a busy one, and from one with little garbage.
func TestHasSettled(t *testing.T) {
	const live, before = 200 << 20, 7 << 30
	for _, tc := range []struct {
		name                       string
		allocated, objects, unused uint64
		want                       bool
	}{
		{"garbage", 1000, live + live/7, 0, true},
		{"free memory", 1000, live, live / 7, true},
		{"both", 1000, live + live/14, live / 14, true},
		{"little", 1000, live + live/20, live / 20, false},
		{"some of the objects were freed", 1000, live / 2, live / 20, false},
		{"busy", quietAllocations + 1, live + live/2, live / 2, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := releaser{allocations: before}
			h := heap{live: live, objects: tc.objects, unused: tc.unused, allocations: before + tc.allocated}
			if got := r.hasSettled(h); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	t.Run("a small heap", func(t *testing.T) {
		var r releaser
		if r.hasSettled(heap{live: 1 << 20, objects: 4 << 20, unused: 4 << 20}) {
			t.Error("it is collected")
		}
	})
}

// TestBurstEnded distinguishes a burst that may have ended from a tree that has grown.
func TestBurstEnded(t *testing.T) {
	const usual = 1 << 30
	at := func(live uint64, collections uint64) heap { return heap{live: live, collections: collections} }
	for _, tc := range []struct {
		name   string
		checks []heap
		want   bool
	}{
		{"the first check", []heap{at(4*usual, 5)}, false},
		{"no growth", []heap{at(usual, 5), at(usual, 5)}, false},
		{"a little more", []heap{at(usual+usual/4, 5), at(usual+usual/4, 5)}, false},
		{"far more", []heap{at(2*usual, 5), at(2*usual, 5)}, true},
		{"far more, and collections go on", []heap{at(2*usual, 5), at(2*usual, 6)}, false},
		{"far more after some minutes in which collections went on", []heap{
			at(2*usual, 5), at(2*usual, 6), at(3*usual, 7), at(3*usual, 8), at(3*usual, 9),
			at(3*usual, 10), at(3*usual, 11), at(2*usual, 12), at(2*usual, 12),
		}, true},
		{"less", []heap{at(usual/2, 5), at(usual/2, 5)}, false},
		{"as much as usual after less", []heap{at(usual/2, 5), at(usual, 6), at(usual, 6)}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := releaser{baseline: usual}
			var got bool
			for _, h := range tc.checks {
				got = r.burstEnded(h)
			}
			if got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	t.Run("a small heap that has doubled", func(t *testing.T) {
		r := releaser{baseline: 20 << 20}
		for range 2 {
			if r.burstEnded(at(40<<20, 5)) {
				t.Error("it is collected")
			}
		}
	})
	t.Run("a burst right after the start", func(t *testing.T) {
		var r releaser
		if r.burstEnded(at(usual, 5)) || !r.burstEnded(at(usual, 5)) {
			t.Error("it is taken for the baseline")
		}
	})
	t.Run("a tree that has grown is collected in vain a few times", func(t *testing.T) {
		var r releaser
		forced := uint64(0)
		for range 100 {
			if r.burstEnded(at(4*usual, 5+forced)) {
				forced++
				r.collected(at(4*usual, 5+forced))
			}
		}
		if forced == 0 || forced > 5 {
			t.Errorf("%d collections in 100 checks", forced)
		}
	})
}

// TestHasExcess requires two checks in a row that find much unused memory.
func TestHasExcess(t *testing.T) {
	little, much := heap{goal: 1 << 30, unused: 400 << 20}, heap{goal: 1 << 30, unused: 600 << 20}
	var r releaser
	for i, step := range []struct {
		heap heap
		want bool
	}{{much, false}, {little, false}, {much, false}, {much, true}, {heap{goal: 4 << 20, unused: 60 << 20}, false}} {
		if got := r.hasExcess(step.heap); got != step.want {
			t.Errorf("check %d: got %v", i, got)
		}
	}
}

// TestBurstIsReleased uses much memory for a moment, and then checks as often as the
// process does in a minute.
func TestBurstIsReleased(t *testing.T) {
	withProcessors(t, func(t *testing.T, _ int) { releaseBurst(t) })
}

func releaseBurst(t *testing.T) {
	const size = 256 << 20
	var r releaser
	runtime.GC()
	r.check()
	burst := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		burst[i] = 1
	}
	runtime.GC() // it finds the burst alive
	runtime.KeepAlive(burst)
	burst = nil
	for range 4 {
		r.check()
	}
	if h := readHeap(); h.unused > smallAmount || h.live > size/2 {
		t.Errorf("%d MB are unused, %d MB alive", h.unused>>20, h.live>>20)
	}
}
