package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestGrowthPercent(t *testing.T) {
	for _, c := range []struct {
		name string
		live uint64
		want int
	}{
		{"nothing yet", 0, 800},
		{"an empty tree", 2 << 20, 800},
		{"a small tree", 16 << 20, 200},
		{"as much as the room", 32 << 20, 100},
		{"a large tree", 1 << 30, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := growthPercent(c.live); got != c.want {
				t.Errorf("%d%%, not %d%%", got, c.want)
			}
		})
	}
}

// TestCollectorTuned sees that the collector's setting follows the heap.
func TestCollectorTuned(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	growth := func() int {
		percent := debug.SetGCPercent(100)
		debug.SetGCPercent(percent)
		return percent
	}
	makeGarbageRoom()
	await(t, "room for garbage beside a small heap", func() bool {
		runtime.GC()
		return growth() > 100
	})
	ballast := make([]byte, 4*garbageRoom)
	await(t, "the usual growth of a large heap", func() bool {
		runtime.GC()
		return growth() == 100
	})
	runtime.KeepAlive(ballast)
}
