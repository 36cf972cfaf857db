package tree

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"
)

// announcement is an event for the hub, or the loss of events.
type announcement struct {
	event *Event // nil if events are lost
	// lostUpTo is the index of the last event that is lost.
	lostUpTo uint64
	// removed is the directory that the event removed, with all nodes below it. It is
	// nil for any other event.
	removed *Node
}

// hub passes events to the watchers that match them. It holds the open watchers by path,
// in the order of the paths, so that the watchers below a directory are neighbours.
type hub struct {
	mu       sync.Mutex
	watchers btree.Map[string, map[*Watcher]struct{}]
	count    int
	each     atomic.Int64 // the watchers of WatchEach
}

func newHub() *hub { return &hub{} }

func (h *hub) add(w *Watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w.paths(func(path string) {
		at, _ := h.watchers.Get(path)
		if at == nil {
			at = make(map[*Watcher]struct{}, 1)
			h.watchers.Set(path, at)
		}
		at[w] = struct{}{}
	})
	h.count++
	if w.eachOptions() != nil {
		h.each.Add(1)
	}
}

func (h *hub) remove(w *Watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, _ := h.watchers.Get(w.path)
	if _, ok := at[w]; !ok {
		return
	}
	h.count--
	if w.eachOptions() != nil {
		h.each.Add(-1)
	}
	w.paths(func(path string) {
		at, _ := h.watchers.Get(path)
		delete(at, w)
		if len(at) == 0 {
			h.watchers.Delete(path)
		}
	})
}

func (h *hub) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

// announce offers each event to the matching watchers.
func (h *hub) announce(announcements []announcement) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.count == 0 {
		return
	}
	for _, a := range announcements {
		if a.event == nil {
			h.announceLoss(a.lostUpTo)
			continue
		}
		if a.event.isSilent() {
			continue
		}
		h.announceAbove(a.event)
		if a.removed != nil {
			h.announceBelow(a)
		}
	}
}

// announceLoss ends the watches that have not read all events up to last, because these are lost.
func (h *hub) announceLoss(last uint64) {
	h.watchers.Scan(func(_ string, at map[*Watcher]struct{}) bool {
		for w := range at {
			w.loseUpTo(last)
		}
		return true
	})
}

// signalAll signals all watchers.
func (h *hub) signalAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers.Scan(func(_ string, at map[*Watcher]struct{}) bool {
		for w := range at {
			w.signal()
		}
		return true
	})
}

// invalidateAll ends all watches.
func (h *hub) invalidateAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers.Scan(func(_ string, at map[*Watcher]struct{}) bool {
		for w := range at {
			w.invalidate()
		}
		return true
	})
}

// announceAbove offers an event to the watchers of its path and to the recursive
// watchers of the directories above it. It looks at each watcher once for each path that it
// finds, and not at the other paths of the watcher: these have entries of their own.
func (h *hub) announceAbove(e *Event) {
	path := e.node.Path()
	for at := path; ; at = parent(at) {
		watchers, _ := h.watchers.Get(at)
		for w := range watchers {
			if w.concerns(at, e) {
				w.offer(e)
			}
		}
		if at == "/" {
			return
		}
	}
}

// announceBelow offers the removal of a directory to the watchers of the removed nodes
// below it.
func (h *hub) announceBelow(a announcement) {
	dir := a.removed.Path()
	h.watchers.Ascend(dir+"/", func(path string, at map[*Watcher]struct{}) bool {
		if !below(path, dir) {
			return false
		}
		if hasBelow(a.removed, path) {
			for w := range at {
				w.offer(a.event)
			}
		}
		return true
	})
}

// hasBelow reports whether a directory has a node at path. The path must lie below the
// directory.
func hasBelow(dir *Node, path string) bool {
	_, err := find(dir, strings.TrimPrefix(path, dir.Path()))
	return err == nil
}
