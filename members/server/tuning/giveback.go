package tuning

import (
	"runtime"
	"runtime/debug"
	"time"
)

// What a burst took stays with the process: an idle one collects every two minutes, and
// the runtime keeps what the heap had before the last collection. So somebody looks now
// and then.

const (
	// heapLook is how often it is looked at.
	heapLook = 15 * time.Second
	// spareRoom is how much unused memory is not worth the trouble.
	spareRoom = 64 << 20
)

// heap is what the runtime tells of it.
type heap struct {
	live        uint64 // found alive by the last collection
	goal        uint64 // at which the next one begins
	unused      uint64 // kept from the system all the same
	collections uint64
}

func readHeap() heap {
	v := readMetrics("/gc/heap/live:bytes", "/gc/heap/goal:bytes", "/memory/classes/heap/free:bytes", "/gc/cycles/total:gc-cycles")
	return heap{live: v[0], goal: v[1], unused: v[2], collections: v[3]}
}

// giveBack gives what a burst took back to the system, for as long as the process lives.
func giveBack() {
	var k keeper
	for {
		time.Sleep(heapLook)
		k.look()
	}
}

// keeper remembers earlier looks at the heap. Its zero value is ready: a burst may come right
// after the start.
type keeper struct {
	usual   uint64 // live bytes that are no burst's
	last    heap
	tooMuch bool // at the last look
}

func (k *keeper) look() {
	if k.wantsCollection(readHeap()) {
		runtime.GC()
		k.collected(readHeap())
	}
	if k.hasTooMuch(readHeap()) {
		debug.FreeOSMemory()
	}
}

// wantsCollection reports whether a burst may have ended unnoticed: more is alive than
// usual, as of a collection that is a while ago.
func (k *keeper) wantsCollection(h heap) bool {
	idle := h.collections == k.last.collections
	k.last = h
	k.usual = min(k.usual, h.live)
	return idle && h.live > k.usual+max(k.usual/2, spareRoom)
}

// collected takes a quarter of what is alive beyond the usual for usual, although nobody allocates: a
// tree that has grown is collected in vain a few times and no more, and so is what a
// checkpoint holds until it is written.
func (k *keeper) collected(h heap) {
	k.last = h
	if h.live > k.usual {
		k.usual += (h.live - k.usual) / 4
	}
}

// hasTooMuch reports whether far more is unused than the collector's pace explains, at
// two looks in a row. A server that makes another such burst now and then keeps it.
func (k *keeper) hasTooMuch(h heap) bool {
	before := k.tooMuch
	k.tooMuch = h.unused > max(h.goal/2, spareRoom)
	return before && k.tooMuch
}
