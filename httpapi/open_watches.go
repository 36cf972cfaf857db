package httpapi

import (
	"maps"
	"slices"
	"sync"
)

// openWatches knows the watches under way, to end them at shutdown.
type openWatches struct {
	mu    sync.Mutex
	open  map[openWatch]struct{}
	ended chan struct{} // closed by close; others may wait for it too
}

// openWatch is a watch, or a connection without a request.
type openWatch interface{ Close() }

func (o *openWatches) add(w openWatch) {
	o.mu.Lock()
	ended := isClosed(o.ended)
	if !ended {
		o.open[w] = struct{}{}
	}
	o.mu.Unlock()
	if ended {
		w.Close()
	}
}

func (o *openWatches) remove(w openWatch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.open, w)
}

// close ends the watches under way and all that are still to come.
func (o *openWatches) close() {
	for _, w := range o.end() {
		w.Close()
	}
}

// end gives those that are to be closed, which is done without the lock: they
// remove themselves.
func (o *openWatches) end() []openWatch {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !isClosed(o.ended) {
		close(o.ended)
	}
	return slices.Collect(maps.Keys(o.open))
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
