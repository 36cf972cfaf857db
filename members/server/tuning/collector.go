package tuning

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// garbageRoom is how much garbage may collect before the collector runs, however
// little is alive. By itself it runs whenever the heap has doubled, and the few
// megabytes of a small tree double a hundred times a second under load: that took
// a tenth of a GET's processor time.
const garbageRoom = 32 << 20

// largeGrowth is by how much a large heap grows until the collector runs, in percent.
// Most nodes of a tree hold no pointers, so a collection costs little for the memory
// that it finds.
const largeGrowth = 33

// collected is an object that nobody holds: when it goes, a collection has ended.
type collected struct{ _ *int }

// tuneCollector sets the growth that brings about the next collection, unless it
// is the one that is set, and comes back after it.
func tuneCollector(set int) {
	if percent := growthPercent(liveHeap()); percent != set {
		set = percent
		debug.SetGCPercent(set)
	}
	runtime.AddCleanup(&collected{}, tuneCollector, set)
}

// smallestHeap is what the runtime takes any smaller heap for.
const smallestHeap = 4 << 20

// growthPercent leaves a heap of that many live bytes room for garbageRoom, and
// at least for largeGrowth.
func growthPercent(live uint64) int {
	return int(max(largeGrowth, garbageRoom*100/max(live, smallestHeap)))
}

// liveHeap is what the last collection found alive, in bytes.
func liveHeap() uint64 { return readMetrics("/gc/heap/live:bytes")[0] }

// readMetrics reads numbers that the runtime keeps.
func readMetrics(names ...string) []uint64 {
	samples := make([]metrics.Sample, len(names))
	for i, name := range names {
		samples[i].Name = name
	}
	metrics.Read(samples)
	values := make([]uint64, len(names))
	for i, s := range samples {
		values[i] = s.Value.Uint64()
	}
	return values
}
