package tree

import (
	"bytes"
	"strings"
	"sync"
	"testing"
)

// TestEncodings holds that events are encoded once for those who read them together, and
// that no more than the bound is kept, however many there were.
func TestEncodings(t *testing.T) {
	const limit = 1 << 20
	s, c := New(1000), NewEncodings(limit)
	set := func(size int) *Event {
		return must(t, s, Command{Op: OpSet, Path: "/k", Value: strings.Repeat("v", size)})
	}
	shared := func(a, b []byte) bool { return &a[0] == &b[0] }
	kept := func(t *testing.T) {
		t.Helper()
		if n := c.Bytes(); n > limit {
			t.Fatalf("%d bytes are kept", n)
		}
	}
	t.Run("small", func(t *testing.T) {
		first := set(100)
		if first.Large() || !shared(c.JSON(first), c.JSON(first)) {
			t.Error("the event was encoded twice")
		}
		for range 1000 {
			if e := set(10_000); !bytes.Equal(c.JSON(e), e.AppendJSON(nil)) {
				t.Fatal("another event")
			}
			kept(t)
		}
		if first.encoded.Load() != nil {
			t.Error("an encoding is kept that nobody has read for long")
		}
	})
	t.Run("large, held", func(t *testing.T) {
		set(1)
		first := set(limit / 2)
		json, ok := c.Hold(first)
		if !ok || !first.Large() || !bytes.Equal(json, first.AppendJSON(nil)) {
			t.Fatal("not encoded")
		}
		for range 100 {
			if e := set(1000); c.JSON(e) == nil {
				t.Fatal("no JSON")
			}
			kept(t)
		}
		again, ok := c.Hold(first)
		if !ok || !shared(json, again) {
			t.Error("what is held was encoded again")
		}
		second := set(limit / 2)
		if _, ok := c.Hold(second); ok {
			t.Error("held beyond the bound")
		}
		kept(t)
		c.Release(first)
		c.Release(first)
		if first.encoded.Load() != nil {
			t.Error("what nobody holds is kept")
		}
		if _, ok := c.Hold(second); !ok {
			t.Error("not held, although there is room again")
		}
		c.Release(second)
		kept(t)
	})
	t.Run("larger than the bound", func(t *testing.T) {
		if _, ok := c.Hold(set(limit)); ok {
			t.Error("held")
		}
	})
	t.Run("many at once", func(t *testing.T) {
		set(1)
		small, large := set(10), set(limit/2)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if !bytes.Equal(c.JSON(small), small.AppendJSON(nil)) {
					t.Error("another event")
				}
				if json, ok := c.Hold(large); ok {
					if !bytes.Equal(json, large.AppendJSON(nil)) {
						t.Error("another event")
					}
					c.Release(large)
				}
			})
		}
		all.Wait()
		kept(t)
	})
}
