package tree

import (
	"cmp"
	"container/heap"
	"container/list"
	"slices"
	"strings"
	"sync"

	"github.com/tidwall/btree"
)

// scopes keeps the events of watched subtrees after the history has dropped them, so that the changes of other keys do not end the watch
// of a quiet subtree. A subtree is the path and the Scope of a watcher. It is kept from the first watcher on, and after the last one is
// closed, too: a client may come back.
//
// The size is bounded. Beyond the limit the largest subtree loses its oldest events first, so that a busy one does not push out the events
// of a quiet one. What is kept is in the memory of this store alone. So a subtree has no events from before its first watcher, a start or
// a Replace: a watcher that needs them gets CodeHistoryCleared.
//
// Any goroutine may call the methods, unless their comments say otherwise. Without a limit a store has no scopes.
type scopes struct {
	mu    sync.Mutex
	limit int64 // in bytes
	bytes int64 // of all subtrees
	// retired is the index of the last event that the history has dropped. Each subtree has its events up to this index.
	retired   uint64
	newest    uint64                              // the index of the last event in the history; only the applying goroutine uses it
	byPath    btree.Map[string, *[2]*keptSubtree] // by Scope
	largest   largestFirst                        // all subtrees
	unwatched list.List                           // of *keptSubtree, the one that is unwatched for the longest time first
	evicted   uint64                              // the number of events that were dropped for the limit
}

// keptSubtree is what is kept of one watched subtree.
type keptSubtree struct {
	path     string
	scope    Scope
	watchers int
	place    *list.Element // in unwatched; nil while it is watched
	// from is the index from which on all events that concern the subtree are kept here or in the history.
	from   uint64
	events []*Event // in the order of the indexes
	bytes  int64
	at     int // in largest
}

const (
	subtreeBytes = 400 // about the memory of a subtree without events, beside its path
	keptEvent    = 300 // about the memory of an event, beside its paths and values
	// maxUnwatched is the largest number of subtrees that are kept although nobody watches them.
	maxUnwatched = 10_000
)

// eventBytes is about the memory of an event.
func eventBytes(e *Event) int64 {
	size := keptEvent + e.node.bytes()
	if e.prev != nil {
		size += e.prev.bytes()
	}
	return size
}

// acquire begins to keep the subtrees of a watcher. release must be called when the watcher is closed.
func (s *scopes) acquire(w *Watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.paths(func(path string) {
		t := s.find(path, w.scope)
		if t == nil {
			t = s.add(path, w.scope)
		}
		if t.watchers++; t.place != nil {
			s.unwatched.Remove(t.place)
			t.place = nil
		}
	})
	s.trim()
}

// release ends an acquire.
func (s *scopes) release(w *Watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.paths(func(path string) {
		t := s.find(path, w.scope)
		if t.watchers--; t.watchers == 0 {
			t.place = s.unwatched.PushBack(t)
		}
	})
	for s.unwatched.Len() > maxUnwatched {
		s.remove(s.unwatched.Front().Value.(*keptSubtree))
	}
}

// find returns the subtree of a path, or nil. Callers must hold mu.
func (s *scopes) find(path string, scope Scope) *keptSubtree {
	at, _ := s.byPath.Get(path)
	if at == nil {
		return nil
	}
	return at[scope]
}

// add adds a subtree. Callers must hold mu.
func (s *scopes) add(path string, scope Scope) *keptSubtree {
	path = strings.Clone(path) // it may be a part of a request
	t := &keptSubtree{path: path, scope: scope, from: s.retired + 1, bytes: subtreeBytes + int64(len(path))}
	at, _ := s.byPath.Get(path)
	if at == nil {
		at = &[2]*keptSubtree{}
		s.byPath.Set(path, at)
	}
	at[scope] = t
	s.bytes += t.bytes
	heap.Push(&s.largest, t)
	return t
}

// remove removes a subtree that nobody watches. Callers must hold mu.
func (s *scopes) remove(t *keptSubtree) {
	s.unwatched.Remove(t.place)
	at, _ := s.byPath.Get(t.path)
	if at[t.scope] = nil; *at == [2]*keptSubtree{} {
		s.byPath.Delete(t.path)
	}
	s.bytes -= t.bytes
	s.evicted += uint64(len(t.events))
	heap.Remove(&s.largest, t.at)
}

// makeRoom prepares for an event with an index, which will take the place of the event old in the history; old may be nil. Only the
// applying goroutine may call it, for each event and before the history has the event. expected is the index that follows that of the last
// event. If indexes were left out, as a tree that follows an etcd may do, makeRoom drops all events.
func (s *scopes) makeRoom(index, expected uint64, old *Event) {
	s.newest = index
	switch {
	case index != expected:
		s.reset(index - 1)
	case old != nil:
		s.retire(old)
	}
}

// retire keeps an event that the history drops, in each subtree that it concerns.
func (s *scopes) retire(e *Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Index() <= s.retired {
		return // reset has dropped it
	}
	s.retired = e.Index()
	if e.isSilent() {
		return
	}
	path := e.node.Path()
	for at := path; ; at = parent(at) {
		if both, _ := s.byPath.Get(at); both != nil {
			for scope, t := range both {
				if t != nil && Scope(scope).includes(path, at) {
					s.keep(t, e)
				}
			}
		}
		if at == "/" {
			break
		}
	}
	if e.removesDir() {
		s.byPath.Ascend(path+"/", func(below string, both *[2]*keptSubtree) bool {
			if !strings.HasPrefix(below, path+"/") {
				return false
			}
			for _, t := range both {
				if t != nil {
					s.keep(t, e)
				}
			}
			return true
		})
	}
	s.trim()
}

// keep adds an event to a subtree. Callers must hold mu and call trim afterwards.
func (s *scopes) keep(t *keptSubtree, e *Event) {
	t.events = append(t.events, e)
	s.grow(t, eventBytes(e))
}

// grow changes the size of a subtree. Callers must hold mu.
func (s *scopes) grow(t *keptSubtree, bytes int64) {
	t.bytes += bytes
	s.bytes += bytes
	heap.Fix(&s.largest, t.at)
}

// trim drops the oldest events of the largest subtrees until the size is within the limit. If no subtree has events, it drops those that
// nobody watches. Callers must hold mu.
func (s *scopes) trim() {
	for s.bytes > s.limit && len(s.largest) > 0 {
		t := s.largest[0]
		switch {
		case len(t.events) > 0:
			e := t.events[0]
			t.events[0] = nil
			t.events = t.events[1:]
			t.from = e.Index() + 1
			s.evicted++
			s.grow(t, -eventBytes(e))
		case s.unwatched.Len() > 0:
			s.remove(s.unwatched.Front().Value.(*keptSubtree))
		default:
			return // the subtrees of open watchers take up more than the limit; they keep no events
		}
	}
}

// oldest returns the index from which on no event of a watcher that was acquired is lost.
func (s *scopes) oldest(w *Watcher) (from uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.paths(func(path string) {
		if t := s.find(path, w.scope); t != nil { // it may be nil after Close
			from = max(from, t.from)
		}
	})
	return from
}

// next returns the first event from the index cursor on that is kept for a watcher that was acquired, and that it returns. If there is
// none, it returns nil and the index from which on the watcher must read the history. lost is true if events from cursor on may be lost.
func (s *scopes) next(w *Watcher, cursor uint64) (e *Event, resume uint64, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.paths(func(path string) {
		t := s.find(path, w.scope)
		if t == nil || cursor < t.from { // it may be nil after Close
			lost = true
			return
		}
		i, _ := slices.BinarySearchFunc(t.events, cursor, func(e *Event, cursor uint64) int { return cmp.Compare(e.Index(), cursor) })
		for ; i < len(t.events) && (e == nil || t.events[i].Index() < e.Index()); i++ {
			if w.matches(t.events[i]) {
				e = t.events[i]
			}
		}
	})
	return e, max(cursor, s.retired+1), lost
}

// use returns the number of subtrees, about their memory, and the number of events that were dropped for the limit.
func (s *scopes) use() (subtrees int, bytes int64, evicted uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.largest), s.bytes, s.evicted
}

// reset drops all events. retired is the index of the last event that the history does not have, or will not have.
func (s *scopes) reset(retired uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired, s.bytes = retired, 0
	for _, t := range s.largest {
		t.events, t.from = nil, retired+1
		t.bytes = subtreeBytes + int64(len(t.path))
		s.bytes += t.bytes
	}
	heap.Init(&s.largest)
}

// largestFirst is a heap of subtrees. Those with events come first, the largest of them at the top.
type largestFirst []*keptSubtree

func (h largestFirst) Len() int { return len(h) }

func (h largestFirst) Less(i, j int) bool {
	a, b := h[i], h[j]
	if (len(a.events) > 0) != (len(b.events) > 0) {
		return len(a.events) > 0
	}
	return a.bytes > b.bytes
}

func (h largestFirst) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push is called by package heap.
func (h *largestFirst) Push(x any) {
	t := x.(*keptSubtree)
	t.at = len(*h)
	*h = append(*h, t)
}

// Pop is called by package heap.
func (h *largestFirst) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return t
}
