package tuning

import (
	"runtime"
	"testing"
)

// TestWantsCollection tells a burst that may have ended from a tree that has grown.
func TestWantsCollection(t *testing.T) {
	const usual = 1 << 30
	at := func(live uint64, collections uint64) heap { return heap{live: live, collections: collections} }
	for _, tc := range []struct {
		name  string
		looks []heap
		want  bool
	}{
		{"the first look", []heap{at(4*usual, 5)}, false},
		{"nothing new", []heap{at(usual, 5), at(usual, 5)}, false},
		{"somewhat more", []heap{at(usual+usual/4, 5), at(usual+usual/4, 5)}, false},
		{"far more", []heap{at(2*usual, 5), at(2*usual, 5)}, true},
		{"far more, and collections go on", []heap{at(2*usual, 5), at(2*usual, 6)}, false},
		{"far more after some minutes in which collections went on", []heap{
			at(2*usual, 5), at(2*usual, 6), at(3*usual, 7), at(3*usual, 8), at(3*usual, 9), at(3*usual, 10), at(3*usual, 11), at(2*usual, 12), at(2*usual, 12),
		}, true},
		{"less", []heap{at(usual/2, 5), at(usual/2, 5)}, false},
		{"as much as usual after less", []heap{at(usual/2, 5), at(usual, 6), at(usual, 6)}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := keeper{usual: usual}
			var got bool
			for _, h := range tc.looks {
				got = k.wantsCollection(h)
			}
			if got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	t.Run("a small heap that has doubled", func(t *testing.T) {
		k := keeper{usual: 20 << 20}
		for range 2 { // looks in a row
			if k.wantsCollection(at(40<<20, 5)) {
				t.Error("it is collected")
			}
		}
	})
	t.Run("a burst right after the start", func(t *testing.T) {
		var k keeper
		if k.wantsCollection(at(usual, 5)) || !k.wantsCollection(at(usual, 5)) {
			t.Error("it is taken for usual")
		}
	})
	t.Run("a tree that has grown is collected in vain a few times", func(t *testing.T) {
		var k keeper
		forced := uint64(0)
		for range 100 {
			if k.wantsCollection(at(4*usual, 5+forced)) {
				forced++
				k.collected(at(4*usual, 5+forced))
			}
		}
		if forced == 0 || forced > 5 {
			t.Errorf("%d collections in 100 looks", forced)
		}
	})
}

// TestHasTooMuch wants two looks that find much unused memory.
func TestHasTooMuch(t *testing.T) {
	little, much := heap{goal: 1 << 30, unused: 400 << 20}, heap{goal: 1 << 30, unused: 600 << 20}
	var k keeper
	for i, step := range []struct {
		heap heap
		want bool
	}{{much, false}, {little, false}, {much, false}, {much, true}, {heap{goal: 4 << 20, unused: 60 << 20}, false}} {
		if got := k.hasTooMuch(step.heap); got != step.want {
			t.Errorf("look %d: got %v", i, got)
		}
	}
}

// TestBurstIsGivenBack uses much memory for a moment, and then looks as often as a
// minute has room for.
func TestBurstIsGivenBack(t *testing.T) {
	const size = 256 << 20
	var k keeper
	runtime.GC()
	k.look()
	burst := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		burst[i] = 1
	}
	runtime.GC() // finds it alive
	runtime.KeepAlive(burst)
	burst = nil
	for range 4 {
		k.look()
	}
	if h := readHeap(); h.unused > spareRoom || h.live > size/2 {
		t.Errorf("%d MB are still kept, %d MB alive", h.unused>>20, h.live>>20)
	}
}
