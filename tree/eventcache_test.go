package tree

import (
	"bytes"
	"strings"
	"sync"
	"testing"
)

// cacheLimit is the bound of the caches in these tests, in bytes.
const cacheLimit = 1 << 20

// cacheTest is a test with a cache and a store that makes events for it.
type cacheTest struct {
	*testing.T
	store *Store
	cache *EventCache
}

func newCacheTest(t *testing.T) cacheTest {
	return cacheTest{t, New(1000), NewEventCache(cacheLimit)}
}

// event makes an event whose node has a value of size bytes. The prevNode has the value of
// the event before.
func (t cacheTest) event(size int) *Event {
	t.Helper()
	return must(t, t.store, Command{Op: OpSet, Path: "/k", Value: strings.Repeat("v", size)})
}

// checkBound fails if the cache keeps more than its limit.
func (t cacheTest) checkBound() {
	t.Helper()
	t.cache.mu.Lock()
	defer t.cache.mu.Unlock()
	if t.cache.bytes > cacheLimit {
		t.Fatalf("the cache keeps %d bytes", t.cache.bytes)
	}
}

func sameMemory(a, b []byte) bool { return &a[0] == &b[0] }

func TestEventCacheSmall(tt *testing.T) {
	t := newCacheTest(tt)
	first := t.event(100)
	if first.Large() || !sameMemory(t.cache.JSON(first), t.cache.JSON(first)) {
		t.Error("the event was encoded twice")
	}
	for range 1000 {
		if e := t.event(10_000); !bytes.Equal(t.cache.JSON(e), e.AppendJSON(nil)) {
			t.Fatal("the JSON of another event")
		}
		t.checkBound()
	}
	if first.encoded.Load() != nil {
		t.Error("the oldest event is still in the cache")
	}
}

func TestEventCacheLarge(tt *testing.T) {
	t := newCacheTest(tt)
	first := t.event(cacheLimit / 2)
	json, ok := t.cache.Acquire(first)
	if !ok || !first.Large() || !bytes.Equal(json, first.AppendJSON(nil)) {
		t.Fatal("the event was not encoded")
	}
	t.event(1) // the next event must not have the large prevNode
	for range 100 {
		if e := t.event(1000); t.cache.JSON(e) == nil {
			t.Fatal("no JSON of a small event")
		}
		t.checkBound()
	}
	again, ok := t.cache.Acquire(first)
	if !ok || !sameMemory(json, again) {
		t.Error("an acquired event was encoded again")
	}
	second := t.event(cacheLimit / 2)
	if _, ok := t.cache.Acquire(second); ok {
		t.Error("acquired beyond the limit")
	}
	t.checkBound()
	t.cache.Release(first)
	t.cache.Release(first)
	if first.encoded.Load() != nil {
		t.Error("a released event is still in the cache")
	}
	if _, ok := t.cache.Acquire(second); !ok {
		t.Error("not acquired although the cache has room again")
	}
	t.cache.Release(second)
	t.checkBound()
}

func TestEventCacheLargerThanLimit(tt *testing.T) {
	t := newCacheTest(tt)
	if _, ok := t.cache.Acquire(t.event(cacheLimit)); ok {
		t.Error("acquired an event that is larger than the limit")
	}
}

func TestEventCacheConcurrent(tt *testing.T) {
	t := newCacheTest(tt)
	small, large := t.event(10), t.event(cacheLimit/2)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if !bytes.Equal(t.cache.JSON(small), small.AppendJSON(nil)) {
				t.Error("the JSON of another event")
			}
			if json, ok := t.cache.Acquire(large); ok {
				if !bytes.Equal(json, large.AppendJSON(nil)) {
					t.Error("the JSON of another event")
				}
				t.cache.Release(large)
			}
		})
	}
	all.Wait()
	t.checkBound()
}

// TestEventCacheOfSealedPage reads an event of a sealed page. No other reader gets the same object, so the cache must not keep its JSON.
func TestEventCacheOfSealedPage(t *testing.T) {
	h := newHistory(1)
	h.start = 2
	h.grow(1)
	for i := uint64(2); i <= 3*pageEvents; i++ {
		h.add(historyEvent(i))
	}
	for _, tc := range []struct {
		name  string
		index uint64
		kept  bool
	}{{"in a sealed page", 2, false}, {"in another page", 3 * pageEvents, true}} {
		t.Run(tc.name, func(t *testing.T) {
			cache := NewEventCache(cacheLimit)
			if got, want := cache.JSON(h.at(tc.index)), historyEvent(tc.index).AppendJSON(nil); !bytes.Equal(got, want) {
				t.Errorf("got %s, want %s", got, want)
			}
			if kept := cache.bytes > 0; kept != tc.kept {
				t.Errorf("kept: %v", kept)
			}
		})
	}
}
