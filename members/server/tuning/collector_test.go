package tuning

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
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
		{"three times the room", 96 << 20, 33},
		{"a large tree", 1 << 30, 33},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := growthPercent(c.live, minGarbage, largeGrowth); got != c.want {
				t.Errorf("%d%%, not %d%%", got, c.want)
			}
		})
	}
}

// TestCollectorTuned checks that the pace of the collector follows the size of the heap.
func TestCollectorTuned(t *testing.T) {
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	withProcessors(t, func(t *testing.T, _ int) { followHeap(t) })
}

func followHeap(t *testing.T) {
	growth := func() int {
		percent := debug.SetGCPercent(100)
		debug.SetGCPercent(percent)
		return percent
	}
	await := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); !done(); runtime.GC() {
			if time.Now().After(end) {
				t.Fatalf("waited 10 s for %s", what)
			}
		}
	}
	c := &collector{}
	c.tune()
	await("room for garbage beside a small heap", func() bool { return growth() > 100 })
	ballast := make([]byte, 4*minGarbage)
	await("the growth of a large heap", func() bool { return growth() == largeGrowth })
	c.load(1)
	await("the growth while data is loaded", func() bool { return growth() == loadGrowth })
	c.load(-1)
	await("the growth after the load", func() bool { return growth() == largeGrowth })
	runtime.KeepAlive(ballast)
}
