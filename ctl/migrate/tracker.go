package migrate

import (
	"context"
	"maps"
	"slices"
	"sync"

	"pando/tree"
)

// tracker collects the paths that change while two trees are compared. The state of any other path is the same during the whole
// comparison. Any goroutine may call its methods.
type tracker struct {
	mu      sync.Mutex
	index   uint64          // all events up to this index were added
	changed map[string]bool // paths of events
	written map[string]bool // those of them that a client has changed; the others have expired
	above   map[string]bool // directories above the paths of events, which an event may have made
	silent  []uint64        // the indexes without an event
	lost    bool            // events are missing
	wake    chan struct{}   // closed and replaced by add
}

// newTracker returns a tracker that collects the paths of events after an index.
func newTracker(index uint64) *tracker {
	return &tracker{
		index: index, changed: map[string]bool{}, written: map[string]bool{}, above: map[string]bool{}, wake: make(chan struct{}),
	}
}

// add adds the events up to an index. They must begin after those of the call before.
func (t *tracker) add(events []tree.EventFields, to uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := t.index
	for i := range events {
		path := events[i].Node.Path
		last = t.addSilent(last, indexOf(&events[i]))
		t.changed[path] = true
		if events[i].Action != tree.ActionExpire {
			t.written[path] = true
		}
		for dir := parentOf(path); dir != "/" && !t.above[dir]; dir = parentOf(dir) {
			t.above[dir] = true
		}
	}
	t.addSilent(last, to+1)
	t.index = max(t.index, to)
	t.signal()
}

// addSilent notes that there is no event between two indexes, and returns the second one. Callers must hold mu.
func (t *tracker) addSilent(after, before uint64) uint64 {
	for index := after + 1; index < before; index++ {
		t.silent = append(t.silent, index)
	}
	return before
}

// silentIndexes returns the indexes without an event.
func (t *tracker) silentIndexes() []uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.silent)
}

// include adds a path as if there were an event of it.
func (t *tracker) include(path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changed[path] = true
}

// lose says that events are missing.
func (t *tracker) lose() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost = true
	t.signal()
}

// signal wakes await. Callers must hold mu.
func (t *tracker) signal() {
	close(t.wake)
	t.wake = make(chan struct{})
}

// await waits until the events up to an index were added. It returns errWindowLost if events are missing.
func (t *tracker) await(ctx context.Context, index uint64) error {
	for {
		t.mu.Lock()
		reached, lost, wake := t.index >= index, t.lost, t.wake
		t.mu.Unlock()
		switch {
		case lost:
			return errWindowLost
		case reached:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
		}
	}
}

// touches reports whether an event may have changed the node at a path: it was an event of the node, of a node below it, or of a
// directory above it.
func (t *tracker) touches(path string) bool {
	t.mu.Lock()
	above := t.above[path]
	t.mu.Unlock()
	return above || t.changes(path)
}

// changes is touches without the events of nodes below the node, which change a directory only if they make it.
func (t *tracker) changes(path string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ; path != "/"; path = parentOf(path) {
		if t.changed[path] {
			return true
		}
	}
	return false
}

// paths returns the paths that may have changed: those of the events, and the directories above them.
func (t *tracker) paths() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]string, 0, len(t.changed)+len(t.above))
	for path := range t.changed {
		all = append(all, path)
	}
	for path := range t.above {
		if !t.changed[path] {
			all = append(all, path)
		}
	}
	return all
}

// writtenPaths returns the paths that clients have changed, in order.
func (t *tracker) writtenPaths() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.written))
}

// position returns the index up to which events were added.
func (t *tracker) position() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.index
}

// trackers are the trackers that get the events which are read at the moment. The zero value is ready to use.
type trackers struct {
	mu    sync.Mutex
	index uint64
	all   map[*tracker]bool
}

// begin returns a tracker of all events from now on. The caller must call end.
func (s *trackers) begin() *tracker {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := newTracker(s.index)
	if s.all == nil {
		s.all = map[*tracker]bool{}
	}
	s.all[t] = true
	return t
}

// end ends the collection of a tracker. It may be called several times.
func (s *trackers) end(t *tracker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, t)
}

// add passes the events up to an index to all trackers.
func (s *trackers) add(events []tree.EventFields, to uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index = max(s.index, to)
	for t := range s.all {
		t.add(events, to)
	}
}

// reset ends the collection of all trackers, because the events up to an index are missing.
func (s *trackers) reset(index uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.all {
		t.lose()
	}
	clear(s.all)
	s.index = index
}

// position returns the index up to which events were added.
func (s *trackers) position() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index
}
