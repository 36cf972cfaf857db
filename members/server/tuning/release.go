package tuning

import (
	"runtime"
	"runtime/debug"
	"time"
)

// By itself the process keeps the memory that a burst of requests took: an idle process
// collects garbage only every two minutes, and the runtime keeps as much memory as the
// heap had before the last collection. releaseMemory looks at the heap regularly, collects
// after a burst, and returns unused memory to the system, within a minute. If the process
// is quiet, it does that within some seconds, and for less memory.

const (
	// quietInterval is the time between two looks at whether the process is quiet.
	quietInterval = 5 * time.Second
	// quietAllocations is the size of the objects that a quiet process makes at most in a
	// quietInterval, in bytes.
	quietAllocations = 1 << 20
	// quietAmount is an amount of memory that is not worth a collection in a quiet process, in bytes.
	quietAmount = 8 << 20
	// heapInterval is the time between two looks at the heap while the process may be busy.
	heapInterval = 3 * quietInterval
	// smallAmount is an amount of memory that is not worth a collection, in bytes.
	smallAmount = 64 << 20
)

// heap is what the runtime reports about the heap.
type heap struct {
	live        uint64 // bytes that the last collection found alive
	goal        uint64 // the size at which the next collection begins, in bytes
	unused      uint64 // bytes that are free, and not returned to the system
	collections uint64
	objects     uint64 // bytes of all objects, alive or not
	allocations uint64 // bytes of all objects that were ever made
}

func readHeap() heap {
	v := readMetrics("/gc/heap/live:bytes", "/gc/heap/goal:bytes", "/memory/classes/heap/free:bytes", "/gc/cycles/total:gc-cycles",
		"/memory/classes/heap/objects:bytes", "/gc/heap/allocs:bytes")
	return heap{live: v[0], goal: v[1], unused: v[2], collections: v[3], objects: v[4], allocations: v[5]}
}

// releaseMemory runs for as long as the process lives.
func releaseMemory() {
	var r releaser
	for {
		for range heapInterval / quietInterval {
			time.Sleep(quietInterval)
			if r.hasSettled(readHeap()) {
				debug.FreeOSMemory()
			}
		}
		r.check()
	}
}

// releaser decides when to collect and to return memory. Its zero value is ready to use.
type releaser struct {
	baseline uint64 // live bytes without those of a burst
	last     heap
	excess   bool // whether there was too much unused memory at the last check
	// allocations are those at the last call of hasSettled.
	allocations uint64
}

func (r *releaser) check() {
	if r.burstEnded(readHeap()) {
		runtime.GC()
		r.collected(readHeap())
	}
	if r.hasExcess(readHeap()) {
		debug.FreeOSMemory()
	}
}

// hasSettled reports whether the process has been quiet since the last call, and a collection is worth it: an eighth of what was alive
// after the last one may be garbage, or is free and not returned to the system. After the collection the process has to make that much
// garbage again. A quiet process needs minutes for it, and Go collects every two minutes anyway.
func (r *releaser) hasSettled(h heap) bool {
	quiet := h.allocations-r.allocations <= quietAllocations
	r.allocations = h.allocations
	garbage := h.objects - min(h.live, h.objects)
	return quiet && garbage+h.unused > max(h.live/8, quietAmount)
}

// burstEnded reports whether a burst may have ended since the last collection: there was
// no collection since the last check, and the last one found far more alive than the
// baseline.
func (r *releaser) burstEnded(h heap) bool {
	idle := h.collections == r.last.collections
	r.last = h
	r.baseline = min(r.baseline, h.live)
	return idle && h.live > r.baseline+max(r.baseline/2, smallAmount)
}

// collected must be called after a collection that burstEnded asked for. It raises the
// baseline by a quarter of the live bytes beyond it. So a tree that has grown, or a checkpoint
// that is being written, causes only a few collections in vain.
func (r *releaser) collected(h heap) {
	r.last = h
	if h.live > r.baseline {
		r.baseline += (h.live - r.baseline) / 4
	}
}

// hasExcess reports whether at two checks in a row far more memory is unused than the pace of
// the collector explains. The second check is for bursts that come again within seconds: the
// server keeps the memory between them.
func (r *releaser) hasExcess(h heap) bool {
	before := r.excess
	r.excess = h.unused > max(h.goal/2, smallAmount)
	return before && r.excess
}
