package tree

import (
	"strings"
	"sync"

	"github.com/tidwall/btree"
)

// hub knows the watchers by the path they watch, so that a change wakes only
// those that it concerns. The paths are in order: those below a directory lie
// together.
type hub struct {
	mu       sync.Mutex
	watchers btree.Map[string, map[*Watcher]struct{}]
	count    int
}

func newHub() *hub { return &hub{} }

func (h *hub) add(w *Watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, _ := h.watchers.Get(w.path)
	if at == nil {
		at = make(map[*Watcher]struct{}, 1)
		h.watchers.Set(w.path, at)
	}
	at[w] = struct{}{}
	h.count++
}

func (h *hub) remove(w *Watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, _ := h.watchers.Get(w.path)
	if _, ok := at[w]; !ok {
		return
	}
	delete(at, w)
	h.count--
	if len(at) == 0 {
		h.watchers.Delete(w.path)
	}
}

func (h *hub) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

// notify wakes the watchers that the changes concern.
func (h *hub) notify(changes []change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.count == 0 {
		return
	}
	for _, c := range changes {
		if c.event.refresh {
			continue
		}
		h.notifyAbove(c.event)
		if c.removed != nil {
			h.notifyBelow(c)
		}
	}
}

// loseAll ends all watches.
func (h *hub) loseAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers.Scan(func(_ string, at map[*Watcher]struct{}) bool {
		for w := range at {
			w.lose()
		}
		return true
	})
}

// notifyAbove wakes the watchers of the event's path and, where they watch
// recursively, those of the directories above it.
func (h *hub) notifyAbove(e *Event) {
	path := e.node.Path()
	for at := path; ; at = parent(at) {
		watchers, _ := h.watchers.Get(at)
		for w := range watchers {
			if w.concerns(e) {
				w.wake(e)
			}
		}
		if at == "/" {
			return
		}
	}
}

// notifyBelow wakes the watchers of the nodes that vanished with a directory.
func (h *hub) notifyBelow(c change) {
	dir := c.removed.Path()
	h.watchers.Ascend(dir+"/", func(path string, at map[*Watcher]struct{}) bool {
		if !below(path, dir) {
			return false
		}
		if hasBelow(c.removed, path) {
			for w := range at {
				w.wake(c.event)
			}
		}
		return true
	})
}

// hasBelow reports whether path, which lies below dir, is a node there.
func hasBelow(dir *Node, path string) bool {
	_, err := find(dir, strings.TrimPrefix(path, dir.Path()))
	return err == nil
}

// parent is the path of the directory that holds p.
func parent(p string) string {
	if i := strings.LastIndexByte(p, '/'); i > 0 {
		return p[:i]
	}
	return "/"
}
