package service

import (
	"errors"
	"testing"
	"time"

	"pando/tree"
)

func TestPinnedRevisions(t *testing.T) {
	count := func(t *testing.T, f *pinFixture, revision uint64, more bool) (tree.KeyReader, int64) {
		t.Helper()
		keys, err := f.pinned.keysAt(revision)
		if err != nil {
			t.Fatal(err)
		}
		if more {
			f.pinned.keep(keys)
		}
		return keys, keys.CountKeys(tree.KeyRange{})
	}
	limits := PinLimits{Views: 2, Bytes: 1 << 20, Idle: time.Minute}
	t.Run("a reader is kept for the next request until it is idle", func(t *testing.T) {
		f := newPinFixture(t, limits)
		set(t, f.Service, "/a")
		first, _ := count(t, f, 0, true)
		set(t, f.Service, "/b")
		again, n := count(t, f, first.Revision(), true)
		if again != first || n != 1 {
			t.Errorf("another reader, or %d keys", n)
		}
		f.now = f.now.Add(limits.Idle)
		if again, n = count(t, f, first.Revision(), false); again == first || n != 1 {
			t.Errorf("the same reader, or %d keys", n)
		}
	})
	t.Run("a request without more pages keeps nothing", func(t *testing.T) {
		f := newPinFixture(t, limits)
		set(t, f.Service, "/a")
		count(t, f, 0, false)
		if n := len(f.pinned.revisions); n != 0 {
			t.Errorf("%d revisions are pinned", n)
		}
	})
	t.Run("the reader that is idle for the longest time makes room", func(t *testing.T) {
		f := newPinFixture(t, limits)
		var readers []tree.KeyReader
		for _, path := range []string{"/a", "/b", "/c"} {
			set(t, f.Service, path)
			f.now = f.now.Add(time.Second)
			keys, _ := count(t, f, 0, true)
			readers = append(readers, keys)
		}
		if again, n := count(t, f, readers[0].Revision(), true); again == readers[0] || n != 1 {
			t.Errorf("the first reader was kept, or %d keys", n)
		}
	})
	t.Run("a revision after the current one is refused", func(t *testing.T) {
		f := newPinFixture(t, limits)
		var refused *tree.Error
		if _, err := f.pinned.keysAt(100); !errors.As(err, &refused) || refused.Code != tree.CodeFutureRevision {
			t.Errorf("got %v", err)
		}
	})
}
