package tuning

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
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

// A load of a tree allocates what stays alive. Collections at the usual pace find next to no garbage, and took more processor time than all
// the rest of a load. So they are rarer while data is loaded.
const (
	// loadGarbage is minGarbage while data is loaded.
	loadGarbage = 48 << 20
	// loadGrowth is largeGrowth while data is loaded.
	loadGrowth = 50
)

// collector holds the pace of the garbage collector.
type collector struct {
	mu      sync.Mutex
	running bool // tuneCollector was called
	loads   int  // calls of Loading that have not ended
	growth  int  // the growth that is set, in percent; zero before the first call of adjust
}

var pace collector

// Loading makes collections rarer until done is called. Callers must call it before they load a tree, and call done, once, after it. It
// does nothing if Memory has left the pace of the garbage collector to Go.
func Loading() (done func()) {
	pace.load(1)
	return func() { pace.load(-1) }
}

// load changes the number of loads in progress.
func (c *collector) load(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loads += n
	if c.running {
		c.adjust()
	}
}

// tune sets the growth of the heap before the next collection, and again after each collection.
func (c *collector) tune() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = true
	c.adjust()
	runtime.AddCleanup(&sentinel{}, (*collector).tune, c)
}

// adjust sets the growth of the heap before the next collection. Callers must hold mu.
func (c *collector) adjust() {
	growth := growthPercent(liveHeap(), minGarbage, largeGrowth)
	if c.loads > 0 {
		growth = growthPercent(liveHeap(), loadGarbage, loadGrowth)
	}
	if growth != c.growth {
		c.growth = growth
		debug.SetGCPercent(growth)
	}
}

// growthPercent returns the growth for a heap of live bytes, in percent: room for so many bytes of garbage, and at least the percentage
// least.
func growthPercent(live, garbage uint64, least int) int {
	return max(least, int(garbage*100/max(live, smallestHeap)))
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
