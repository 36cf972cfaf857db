package tuning

import (
	"runtime"
	"runtime/debug"
	"time"
)

// By itself the process keeps the memory that a burst of requests took: an idle process
// collects garbage only every two minutes, and the runtime keeps as much memory as the
// heap had before the last collection. releaseMemory looks at the heap regularly, collects
// after a burst, and returns unused memory to the system, within a minute.

const (
	// heapInterval is the time between two looks at the heap.
	heapInterval = 15 * time.Second
	// smallAmount is an amount of memory that is not worth a collection, in bytes.
	smallAmount = 64 << 20
)

// heap is what the runtime reports about the heap.
type heap struct {
	live        uint64 // bytes that the last collection found alive
	goal        uint64 // the size at which the next collection begins, in bytes
	unused      uint64 // bytes that are free, and not returned to the system
	collections uint64
}

func readHeap() heap {
	v := readMetrics("/gc/heap/live:bytes", "/gc/heap/goal:bytes", "/memory/classes/heap/free:bytes", "/gc/cycles/total:gc-cycles")
	return heap{live: v[0], goal: v[1], unused: v[2], collections: v[3]}
}

// releaseMemory runs for as long as the process lives.
func releaseMemory() {
	var r releaser
	for {
		time.Sleep(heapInterval)
		r.check()
	}
}

// releaser decides when to collect and to return memory. Its zero value is ready to use.
type releaser struct {
	baseline uint64 // live bytes without those of a burst
	last     heap
	excess   bool // whether there was too much unused memory at the last check
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
