package tree

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// historyEvent returns an event with an index.
func historyEvent(index uint64) *Event {
	n := newDir(fmt.Sprintf("/%d", index), noChildren)
	n.setNumbers(uncounted(index, index))
	return &Event{action: ActionSet, node: n}
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
	var bytes int64
	for i := h.next(2); i < next+3; i = h.next(i + 1) {
		e := h.at(i)
		if held := i >= oldest && i < next; held != (e != nil) || held && e.Index() != i {
			t.Fatalf("event %d of %d to %d: %v", i, oldest, next-1, e)
		}
		if e != nil {
			bytes += eventSize(e)
		}
	}
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
	if got := h.bytesFrom(h.next(oldest)); got != bytes {
		t.Fatalf("%d bytes, want %d", got, bytes)
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
