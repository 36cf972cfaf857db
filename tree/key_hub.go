package tree

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"pando/tree/users"
)

// keyHub passes events to the key watchers whose ranges contain a changed key. It holds the ranges, each once, by their form: most watchers
// watch one key or a prefix, and these are found without a look at the others. Any goroutine may call its methods.
type keyHub struct {
	watchers atomic.Int64 // the number of open watchers

	mu       sync.Mutex
	singles  map[string]*watchedRange // the ranges of one key, by the key
	prefixes map[string]*watchedRange // the ranges of all keys with a prefix, by the prefix
	lengths  []prefixLength           // the lengths of the prefixes, in ascending order
	others   []*watchedRange
}

// watchedRange is a range with its watchers, at least one.
type watchedRange struct {
	keys     KeyRange
	watchers []*KeyWatcher
}

// prefixLength is a length of prefixes, in bytes, and the number of prefixes that have it.
type prefixLength struct{ bytes, prefixes int }

// rangeForm is a form of ranges.
type rangeForm uint8

const (
	singleForm rangeForm = iota
	prefixForm
	otherForm
)

// formOf returns the form of a range.
func formOf(r KeyRange) rangeForm {
	switch r.To {
	case r.From + "\x00":
		return singleForm
	case users.PrefixEnd(r.From):
		return prefixForm
	}
	return otherForm
}

func (h *keyHub) add(w *KeyWatcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.singles == nil {
		h.singles, h.prefixes = map[string]*watchedRange{}, map[string]*watchedRange{}
	}
	at := h.find(w.keys)
	if at == nil {
		at = h.addRange(w.keys)
	}
	w.place = len(at.watchers)
	at.watchers = append(at.watchers, w)
	h.watchers.Add(1)
}

func (h *keyHub) remove(w *KeyWatcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.find(w.keys)
	last := len(at.watchers) - 1
	at.watchers[w.place] = at.watchers[last]
	at.watchers[w.place].place = w.place
	at.watchers[last] = nil
	at.watchers = at.watchers[:last]
	if last == 0 {
		h.removeRange(w.keys)
	}
	h.watchers.Add(-1)
}

// find returns a range that has watchers, or nil. Callers must hold mu.
func (h *keyHub) find(r KeyRange) *watchedRange {
	switch formOf(r) {
	case singleForm:
		return h.singles[r.From]
	case prefixForm:
		return h.prefixes[r.From]
	}
	if i := h.findOther(r); i >= 0 {
		return h.others[i]
	}
	return nil
}

// findOther returns the place of a range in others, or -1. Callers must hold mu.
func (h *keyHub) findOther(r KeyRange) int {
	return slices.IndexFunc(h.others, func(at *watchedRange) bool { return at.keys == r })
}

// addRange adds a range. Callers must hold mu.
func (h *keyHub) addRange(r KeyRange) *watchedRange {
	r = KeyRange{From: strings.Clone(r.From), To: strings.Clone(r.To)} // they may be parts of a request
	at := &watchedRange{keys: r}
	switch formOf(r) {
	case singleForm:
		h.singles[r.From] = at
	case prefixForm:
		h.prefixes[r.From] = at
		i, found := h.findLength(len(r.From))
		if !found {
			h.lengths = slices.Insert(h.lengths, i, prefixLength{bytes: len(r.From)})
		}
		h.lengths[i].prefixes++
	default:
		h.others = append(h.others, at)
	}
	return at
}

// removeRange removes a range. Callers must hold mu.
func (h *keyHub) removeRange(r KeyRange) {
	switch formOf(r) {
	case singleForm:
		delete(h.singles, r.From)
	case prefixForm:
		delete(h.prefixes, r.From)
		i, _ := h.findLength(len(r.From))
		if h.lengths[i].prefixes--; h.lengths[i].prefixes == 0 {
			h.lengths = slices.Delete(h.lengths, i, i+1)
		}
	default:
		i := h.findOther(r)
		h.others = slices.Delete(h.others, i, i+1)
	}
}

// findLength returns the place of a length in lengths, and whether it is there. Callers must hold mu.
func (h *keyHub) findLength(bytes int) (int, bool) {
	return slices.BinarySearchFunc(h.lengths, bytes, func(l prefixLength, bytes int) int { return l.bytes - bytes })
}

// announce offers each event to the watchers that it concerns.
func (h *keyHub) announce(announcements []announcement) {
	if h.watchers.Load() == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range announcements {
		if a.event == nil {
			h.each(func(w *KeyWatcher) { w.loseUpTo(a.lostUpTo) })
			continue
		}
		if a.event.removesDir() {
			h.announceRemoved(a.event)
			continue
		}
		if key, ok := a.event.key(); ok {
			h.announceKey(key, a.event)
		}
	}
}

// announceKey offers an event to the watchers of a key. Callers must hold mu.
func (h *keyHub) announceKey(key string, e *Event) {
	h.singles[key].offer(e)
	for _, l := range h.lengths {
		if l.bytes > len(key) {
			break
		}
		h.prefixes[key[:l.bytes]].offer(e)
	}
	for _, at := range h.others {
		if inRange(key, at.keys) {
			at.offer(e)
		}
	}
}

// announceRemoved offers the removal of a directory to the watchers of all ranges that may contain a key below it. Callers must hold mu.
func (h *keyHub) announceRemoved(e *Event) {
	below := keysBelowRange(e.node.Path())
	for _, ranges := range []map[string]*watchedRange{h.singles, h.prefixes} {
		for _, at := range ranges {
			if overlap(at.keys, below) {
				at.offer(e)
			}
		}
	}
	for _, at := range h.others {
		if overlap(at.keys, below) {
			at.offer(e)
		}
	}
}

// offer offers an event to all watchers of the range. at may be nil.
func (at *watchedRange) offer(e *Event) {
	if at == nil {
		return
	}
	for _, w := range at.watchers {
		w.offer(e)
	}
}

// each calls do for each watcher. Callers must hold mu.
func (h *keyHub) each(do func(*KeyWatcher)) {
	for _, ranges := range []map[string]*watchedRange{h.singles, h.prefixes} {
		for _, at := range ranges {
			for _, w := range at.watchers {
				do(w)
			}
		}
	}
	for _, at := range h.others {
		for _, w := range at.watchers {
			do(w)
		}
	}
}

// signalAll signals all watchers.
func (h *keyHub) signalAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.each((*KeyWatcher).signal)
}

// resumeAll makes all watchers read the history from their cursors on.
func (h *keyHub) resumeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.each((*KeyWatcher).resume)
}
