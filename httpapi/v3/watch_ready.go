package v3

import "sync"

// readyGroups are the groups of a stream that may have something to send, in the order in which they became ready. Any goroutine may call
// its methods.
type readyGroups struct {
	signal chan struct{} // has a value if there may be groups

	mu   sync.Mutex
	list []*watchGroup
}

func newReadyGroups() readyGroups { return readyGroups{signal: make(chan struct{}, 1)} }

// add adds a group, if it is not in the list. It never blocks.
func (r *readyGroups) add(g *watchGroup) {
	r.mu.Lock()
	if !g.queued {
		g.queued = true
		r.list = append(r.list, g)
	}
	r.mu.Unlock()
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

// take returns the list and empties it. A group that has changed since must be added again.
func (r *readyGroups) take() []*watchGroup {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	for _, g := range list {
		g.queued = false
	}
	return list
}
