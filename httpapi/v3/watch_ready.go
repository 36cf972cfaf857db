package v3

import "sync"

// readyWatches are the watches of a stream that may have something to send, in the order in which they became ready. Any goroutine may call
// its methods.
type readyWatches struct {
	signal chan struct{} // has a value if there may be watches

	mu   sync.Mutex
	list []*keyWatch
}

func newReadyWatches() readyWatches { return readyWatches{signal: make(chan struct{}, 1)} }

// add adds a watch, if it is not in the list. It never blocks.
func (r *readyWatches) add(k *keyWatch) {
	r.mu.Lock()
	if !k.queued {
		k.queued = true
		r.list = append(r.list, k)
	}
	r.mu.Unlock()
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

// take returns the list and empties it. A watch that has changed since must be added again.
func (r *readyWatches) take() []*keyWatch {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	for _, k := range list {
		k.queued = false
	}
	return list
}
