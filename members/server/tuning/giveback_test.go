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
		{"the first look", []heap{at(usual, 5)}, false},
		{"nothing new", []heap{at(usual, 5), at(usual, 5)}, false},
		{"somewhat more", []heap{at(usual, 5), at(usual+usual/4, 5)}, false},
		{"a small heap that has doubled", []heap{at(20<<20, 5), at(40<<20, 5)}, false},
		{"far more", []heap{at(usual, 5), at(2*usual, 5)}, true},
		{"far more, and collections go on", []heap{at(usual, 5), at(2*usual, 6)}, false},
		{"less", []heap{at(usual, 5), at(usual/2, 5)}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var k keeper
			var got bool
			for _, h := range tc.looks {
				got = k.wantsCollection(h)
			}
			if got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	t.Run("a tree that has grown is collected in vain a few times", func(t *testing.T) {
		var k keeper
		k.wantsCollection(at(usual, 5))
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
	t.Run("a burst that took minutes", func(t *testing.T) {
		var k keeper
		k.wantsCollection(at(20<<20, 5))
		for i := range uint64(20) {
			k.wantsCollection(at(2*usual, 6+i)) // collections go on
		}
		if !k.wantsCollection(at(usual, 25)) {
			t.Error("what it left is taken for usual")
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
