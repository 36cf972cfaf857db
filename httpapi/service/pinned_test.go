package service

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
	"pando/tree"
	"pando/tree/users"
)

// pinFixture is a service with a clock that the test sets.
type pinFixture struct {
	*Service
	log *fakeLog
	now time.Time
}

func newPinFixture(t *testing.T, limits PinLimits) *pinFixture {
	s, log := newTestService(t, func(c *Config) { c.Pins = limits })
	f := &pinFixture{s, log, time.Unix(1e9, 0)}
	s.pinned.now = func() time.Time { return f.now }
	return f
}

// read reads the root from a pinned view, or from the current one with the index 0.
func (f *pinFixture) read(t *testing.T, index uint64) (Read, error) {
	t.Helper()
	return f.GetPinned(t.Context(), guest, "/", users.Subtree, Local, index)
}

// mustPin pins the current view and returns its index.
func (f *pinFixture) mustPin(t *testing.T) uint64 {
	t.Helper()
	read, err := f.read(t, 0)
	if err != nil {
		t.Fatal(err)
	}
	return read.Index
}

// wantPinned checks the number of pinned views and of those that were released early.
func (f *pinFixture) wantPinned(t *testing.T, views int, released uint64) {
	t.Helper()
	if v, _, r := f.PinnedViews(); v != views || r != released {
		t.Errorf("%d views are pinned and %d were released, want %d and %d", v, r, views, released)
	}
}

func TestPinnedViews(t *testing.T) {
	limits := PinLimits{Views: 2, Bytes: 1 << 20, Idle: time.Minute}
	t.Run("a pinned view stays as it was", func(t *testing.T) {
		f := newPinFixture(t, limits)
		set(t, f.Service, "/a")
		index := f.mustPin(t)
		set(t, f.Service, "/b")
		if read, err := f.read(t, index); err != nil || read.Index != index || read.Node.Len() != 1 {
			t.Errorf("got %+v, %v", read, err)
		}
		if again := f.mustPin(t); again != index+1 {
			t.Errorf("the current view has the index %d", again)
		}
		f.wantPinned(t, 2, 0)
	})
	t.Run("lists that begin at the same index share a view", func(t *testing.T) {
		f := newPinFixture(t, limits)
		index := f.mustPin(t)
		if _, err := f.read(t, index); err != nil || f.mustPin(t) != index {
			t.Error(err)
		}
		f.wantPinned(t, 1, 0)
	})
	t.Run("a pinned view goes before a current one with the same index", func(t *testing.T) {
		f := newPinFixture(t, limits)
		pinned, err := f.read(t, 0)
		if err != nil {
			t.Fatal(err)
		}
		loaded := tree.New(historySize) // has the same index and another root, as after a change of a mirror
		f.cfg.Tree.Replace(loaded)
		for _, index := range []uint64{pinned.Index, 0} {
			if read, err := f.read(t, index); err != nil || read.Node != pinned.Node {
				t.Errorf("at %d: got another state, %v", index, err)
			}
		}
		f.wantPinned(t, 1, 0)
	})
	t.Run("the number is limited", func(t *testing.T) {
		f := newPinFixture(t, limits)
		first := f.mustPin(t)
		set(t, f.Service, "/a")
		f.mustPin(t)
		set(t, f.Service, "/a")
		if _, err := f.read(t, 0); err != ErrTooManyPinned {
			t.Errorf("the third one: %v", err)
		}
		if _, err := f.read(t, first); err != nil {
			t.Errorf("the first one: %v", err)
		}
		f.now = f.now.Add(limits.Idle)
		f.mustPin(t)
		f.wantPinned(t, 1, 0)
	})
}

// TestReleaseOfPinnedViews moves the clock, and checks which views are still pinned.
func TestReleaseOfPinnedViews(t *testing.T) {
	limits := PinLimits{Views: 2, Bytes: 1 << 20, Idle: time.Minute}
	t.Run("a view that is not read is released", func(t *testing.T) {
		f := newPinFixture(t, limits)
		index := f.mustPin(t)
		set(t, f.Service, "/a")
		for range 3 {
			f.now = f.now.Add(limits.Idle - 1)
			if _, err := f.read(t, index); err != nil {
				t.Fatal(err)
			}
		}
		f.now = f.now.Add(limits.Idle)
		if _, err := f.read(t, index); codeOf(err) != tree.CodeHistoryCleared {
			t.Errorf("after the time: %v", err)
		}
		f.wantPinned(t, 0, 0)
	})
	t.Run("a view that is read for ever is released", func(t *testing.T) {
		f := newPinFixture(t, limits)
		index, reads := f.mustPin(t), 0
		set(t, f.Service, "/a")
		for err := error(nil); err == nil && reads < 1000; reads++ {
			f.now = f.now.Add(limits.Idle / 2)
			_, err = f.read(t, index)
		}
		if reads != int(maxPinAge/(limits.Idle/2)) {
			t.Errorf("%d reads", reads)
		}
	})
}

func TestPinnedViewsThatAreRefused(t *testing.T) {
	t.Run("unknown indexes", func(t *testing.T) {
		f := newPinFixture(t, PinLimits{Views: 2, Bytes: 1 << 20, Idle: time.Minute})
		set(t, f.Service, "/a")
		for _, index := range []uint64{1, 3, 1 << 63} {
			if _, err := f.read(t, index); codeOf(err) != tree.CodeHistoryCleared {
				t.Errorf("index %d: %v", index, err)
			}
		}
	})
	t.Run("none may be pinned", func(t *testing.T) {
		f := newPinFixture(t, PinLimits{})
		if _, err := f.read(t, 0); codeOf(err) != tree.CodeInvalidField || !strings.Contains(err.Error(), "--max-pinned-views=0") {
			t.Errorf("got %v", err)
		}
	})
}

// TestPinnedBytes changes the tree until the oldest pinned view must be released.
func TestPinnedBytes(t *testing.T) {
	f := newPinFixture(t, PinLimits{Views: 3, Bytes: 64 << 10, Idle: time.Minute})
	for i := range 1000 {
		set(t, f.Service, fmt.Sprintf("/d/%d", i))
	}
	first := f.mustPin(t)
	for range 20 {
		set(t, f.Service, "/d/1")
	}
	second := f.mustPin(t)
	for range 50 {
		set(t, f.Service, "/d/1")
	}
	if _, err := f.read(t, first); codeOf(err) != tree.CodeHistoryCleared {
		t.Errorf("the older view: %v", err)
	}
	if _, err := f.read(t, second); err != nil {
		t.Errorf("the newer view: %v", err)
	}
	f.wantPinned(t, 1, 1)
	if _, bytes, _ := f.PinnedViews(); bytes < 50*pinnedChange || bytes > 64<<10 {
		t.Errorf("the estimate is %d bytes", bytes)
	}
}

// TestPinnedViewNeedsTheRight takes a right away while a view is pinned. The current users decide, not those of the view.
func TestPinnedViewNeedsTheRight(t *testing.T) {
	s, _ := newAuthService(t, func(c *Config) { c.Pins = PinLimits{Views: 3, Bytes: 1 << 20, Idle: time.Minute} })
	read := func(path string, scope users.Scope, index uint64) (Read, error) {
		return s.GetPinned(t.Context(), reader, path, scope, Local, index)
	}
	for path, scope := range map[string]users.Scope{"/": users.Subtree, "/a": users.Subtree, "/other": users.One} {
		if _, err := read(path, scope, 0); err != errUnauthorized {
			t.Errorf("%s: %v", path, err)
		}
	}
	pinned, err := read("/dir", users.Subtree, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read("/dir/b", users.One, pinned.Index); err != nil {
		t.Error(err)
	}
	revoked := users.Permissions{Read: []users.Range{users.ParsePattern("/dir*")}}
	changeUsers(t, s, &users.Change{Op: users.PutRole, Name: "r", RevokePermissions: revoked})
	if _, err := read("/dir", users.Subtree, pinned.Index); err != errUnauthorized {
		t.Errorf("without the right: %v", err)
	}
}

// TestPinnedEstimate compares the estimate of the memory that a pinned view keeps with the heap, for changes all over a large tree.
func TestPinnedEstimate(t *testing.T) {
	servertest.SkipShort(t, "it measures the heap")
	f := newPinFixture(t, PinLimits{Views: 3, Bytes: 1 << 40, Idle: time.Minute})
	const keys = 50_000
	value := strings.Repeat("v", 100)
	commands := make([]tree.Command, keys)
	for i := range commands {
		commands[i] = tree.Command{Op: tree.OpSet, Path: fmt.Sprintf("/dir%03d/key%06d", i%100, i), Value: value}
	}
	f.log.store.Apply(1, commands)
	f.log.store.Announce()
	for _, changes := range []int{1000, keys} {
		t.Run(fmt.Sprint(changes), func(t *testing.T) {
			f.log.store.TakeDelta()
			index := f.mustPin(t)
			for i := range changes {
				f.log.store.Apply(1, commands[i*7919%keys:][:1])
				f.log.store.Announce()
			}
			f.log.store.TakeDelta()
			_, estimate, _ := f.PinnedViews()
			before := heap()
			f.pinned.mu.Lock()
			f.pinned.pins = nil
			f.pinned.mu.Unlock()
			kept := before - heap()
			t.Logf("index %d: %d bytes were kept, the estimate was %d", index, kept, estimate)
			if estimate < kept || estimate > 10*kept+1<<20 {
				t.Errorf("the estimate was %d for %d bytes", estimate, kept)
			}
		})
	}
}

// heap returns the bytes in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
