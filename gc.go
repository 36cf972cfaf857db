package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// garbageRoom is how much garbage may collect before the collector runs, however
// little is alive. By itself it runs whenever the heap has doubled, and the few
// megabytes of a small tree double a hundred times a second under load: that took
// a tenth of a GET's processor time. A large tree is no different for it.
const garbageRoom = 32 << 20

// makeGarbageRoom has the collector run less often while the heap is small, unless
// GOGC in the environment says how often it shall run.
func makeGarbageRoom() {
	if os.Getenv("GOGC") == "" {
		tuneCollector(0)
	}
}

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
// at least as much as it has by itself.
func growthPercent(live uint64) int {
	return int(max(100, garbageRoom*100/max(live, smallestHeap)))
}

// liveHeap is what the last collection found alive, in bytes.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
