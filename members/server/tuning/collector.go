package tuning

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// By itself the garbage collector runs whenever the heap has doubled. The heap of a small
// tree, of a few megabytes, doubles a hundred times in a second under load, and the
// collections took a tenth of the processor time of a GET. The heap of a large tree would
// double before it is collected, although a collection is cheap for its size: most nodes
// hold no pointers.

const (
	// minGarbage is how much garbage there is before the collector runs, in bytes,
	// however small the heap is.
	minGarbage = 32 << 20
	// largeGrowth is the growth of a large heap before the collector runs, in percent.
	largeGrowth = 33
	// smallestHeap is the size that the runtime assumes for any smaller heap, in bytes.
	smallestHeap = 4 << 20
)

// sentinel is an object without references, so its cleanup runs after the next collection.
type sentinel struct{ _ *int }

// tuneCollector sets the growth of the heap before the next collection. current is the growth
// that is set. Each collection calls tuneCollector again.
func tuneCollector(current int) {
	if percent := growthPercent(liveHeap()); percent != current {
		current = percent
		debug.SetGCPercent(current)
	}
	runtime.AddCleanup(&sentinel{}, tuneCollector, current)
}

// growthPercent returns the growth for a heap of live bytes, in percent.
func growthPercent(live uint64) int {
	return int(max(largeGrowth, minGarbage*100/max(live, smallestHeap)))
}

// liveHeap returns the number of bytes that the last collection found alive.
func liveHeap() uint64 { return readMetrics("/gc/heap/live:bytes")[0] }

// readMetrics returns the values of metrics of the runtime.
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
