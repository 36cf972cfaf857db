package tree

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// historyEvent returns an event with an index. The other fields follow from the index, too.
func historyEvent(index uint64) *Event {
	n := newDir(fmt.Sprintf("/%d", index), noChildren)
	n.setNumbers(uncounted(index, index))
	e := &Event{action: Action(1 + index/3%7), node: n, time: int64(index / 4), refresh: index%5 == 0, v3Only: index%7 == 0}
	if index/3000%2 == 1 && index%3 != 0 {
		e.prev = newFile(n.Path(), "before", 0, 0)
	}
	return e
}

// TestHistory compares a history, as a ring and as pages, with the list of all its events. Some indexes may be skipped.
func TestHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]uint64{1, 4, 1500}).Draw(t, "size")
		h := newHistory(int(size))
		h.start = 2
		next, oldest, paged := uint64(2), uint64(2), false
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				if !paged && next > 2 {
					h.grow(next - 1)
					paged = true
				}
			case 1:
				if h.skipped.Load() == nil {
					h.skipped.Store(&indexRange{next, next + 9})
					next += 10
				}
			case 2:
				if paged {
					oldest = h.next(rapid.Uint64Range(oldest, next).Draw(t, "drop"))
					h.drop(oldest, nil)
				}
			default:
				for range rapid.SampledFrom([]int{1, 3, 700, 1024}).Draw(t, "add") {
					h.add(historyEvent(next))
					next++
				}
			}
			if !paged && next > 2 {
				oldest = h.oldest(next - 1)
			}
			checkHistory(t, h, oldest, next, paged)
		}
	})
}

// checkHistory checks that a history holds the events from oldest to the one before next, and no others.
func checkHistory(t *rapid.T, h *history, oldest, next uint64, paged bool) {
	var size int64
	for i := h.next(2); i < next+3; i = h.next(i + 1) {
		e := h.at(i)
		if held := i >= oldest && i < next; held != (e != nil) || held && e.Index() != i {
			t.Fatalf("event %d of %d to %d: %v", i, oldest, next-1, e)
		}
		if e != nil {
			size += eventSize(e)
			checkHistoryEvent(t, e)
		}
	}
	checkEventList(t, h, h.next(oldest), next)
	if newest := h.previous(next - 1); newest >= h.next(2) && h.oldest(newest) != oldest {
		t.Fatalf("the oldest event is %d, want %d", h.oldest(newest), oldest)
	}
	if !paged {
		return
	}
	at := rapid.Uint64Range(oldest, next).Draw(t, "at")
	if got, want := h.firstWithRevision(at, oldest, next-1), h.next(at); got != want && got < next {
		t.Fatalf("event with revision %d: index %d, want %d", at, got, want)
	}
	if got := h.bytesFrom(h.next(oldest)); got != size {
		t.Fatalf("%d bytes, want %d", got, size)
	}
}

// checkHistoryEvent checks all fields of an event, whose object need not be the one that was added.
func checkHistoryEvent(t *rapid.T, e *Event) {
	if got, want := AppendEvent(nil, e), AppendEvent(nil, historyEvent(e.Index())); !bytes.Equal(got, want) {
		t.Fatalf("event %d is %q, want %q", e.Index(), got, want)
	}
}

// checkEventList compares a list of a part of the events with the events.
func checkEventList(t *rapid.T, h *history, oldest, next uint64) {
	first := h.next(rapid.Uint64Range(oldest, next).Draw(t, "first"))
	last := h.previous(rapid.Uint64Range(first-1, next-1).Draw(t, "last"))
	l, ok := h.list(first, last)
	if !ok {
		t.Fatalf("no list from %d to %d of the events from %d to %d", first, last, oldest, next-1)
	}
	want := first
	for e := range l.All() {
		if e.Index() != want {
			t.Fatalf("event %d in the place of event %d", e.Index(), want)
		}
		checkHistoryEvent(t, e)
		want = h.next(want + 1)
	}
	if l.Len() > 0 && want <= last || l.Len() == 0 && first <= last {
		t.Fatalf("the list of %d events from %d ends before event %d; the last one is %d", l.Len(), first, want, last)
	}
	after := rapid.Uint64Range(first, next).Draw(t, "after")
	for e := range l.after(after - 1) {
		if e.Index() != h.next(after) {
			t.Fatalf("the event after the revision %d is %d", after-1, e.Index())
		}
		break
	}
	if _, ok := h.list(oldest, next); ok {
		t.Fatalf("a list up to event %d, which does not exist", next)
	}
	if _, ok := h.list(h.previous(oldest-1), next-1); ok && oldest > 2 {
		t.Fatalf("a list from before event %d, which was dropped", oldest)
	}
}

// TestEventListStays reads a list while its events are dropped from the history.
func TestEventListStays(t *testing.T) {
	h := newHistory(1)
	h.start = 2
	h.add(historyEvent(2))
	h.grow(2)
	for i := uint64(3); i <= 9*pageEvents; i++ {
		h.add(historyEvent(i))
	}
	const first = 500
	l, ok := h.list(first, 9*pageEvents)
	if !ok || h.pages.Load().sealed != 8 {
		t.Fatalf("%v, %d sealed pages", ok, h.pages.Load().sealed)
	}
	for _, index := range []uint64{first + 10, first + 20, 3*pageEvents + 1, 9 * pageEvents} {
		h.drop(index, nil)
		if h.at(index-1) != nil || h.at(index) == nil {
			t.Errorf("the history does not begin with event %d", index)
		}
		next := uint64(first)
		for e := range l.All() {
			if e == nil || e.Index() != next {
				t.Fatalf("after the drop of events before %d the list has event %v in the place of event %d", index, e, next)
			}
			next++
		}
		if next != 9*pageEvents+1 {
			t.Errorf("the list ends before event %d", next)
		}
	}
}

// TestHistoryGrowsBesideReaders reads events while the ring is replaced by pages, and while pages are added and dropped.
func TestHistoryGrowsBesideReaders(t *testing.T) {
	const last = 20_000
	h := newHistory(100)
	h.start = 2
	var readers sync.WaitGroup
	var announced atomic.Uint64
	for range 2 {
		readers.Go(func() {
			for {
				newest := announced.Load()
				if newest < 2 {
					continue
				}
				e := h.at(newest)
				if e != nil && e.Index() != newest || e == nil && announced.Load() < newest+50 { // otherwise it was dropped
					t.Errorf("event %d: %v", newest, e)
				}
				if newest == last {
					return
				}
			}
		})
	}
	for i := uint64(2); i <= last; i++ {
		if i == 1000 {
			h.grow(i - 1)
		}
		if i > 3000 {
			h.drop(i-1500, nil)
		}
		h.add(historyEvent(i))
		announced.Store(i)
	}
	readers.Wait()
}
