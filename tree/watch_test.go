package tree

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
)

// mustBeCleared checks that err is the CodeHistoryCleared of a watch from the index since.
func mustBeCleared(t testing.TB, err error, s *Store, since uint64) {
	t.Helper()
	v := s.View()
	want := Error{
		Code: CodeHistoryCleared, Index: v.Index(),
		Cause: fmt.Sprintf("the requested history has been cleared [%d/%d]", v.OldestEvent(), since),
	}
	var got *Error
	if !errors.As(err, &got) || *got != want {
		t.Fatalf("got %v, want %v", err, &want)
	}
}

func TestHistoryBoundary(t *testing.T) {
	for _, newest := range []uint64{1000, 1001, 1002, 2500} {
		t.Run(fmt.Sprint(newest), func(t *testing.T) {
			s := New(1000)
			fill(t, s, "/k", newest)
			if newest <= 1001 { // the history holds all events
				for _, since := range []uint64{1, 2} {
					wantEvent(t, watch(t, s, "/k", Exact, since), 2)
				}
				return
			}
			wantEvent(t, watch(t, s, "/k", Exact, newest-999), newest-999)
			_, err := s.Watch("/k", Exact, newest-1000)
			mustBeCleared(t, err, s, newest-1000)
			if s.Watchers() != 1 {
				t.Errorf("%d watchers are open, want 1", s.Watchers())
			}
		})
	}
}

func TestWatchFromPastNowAndFuture(t *testing.T) {
	s := New(1000)
	fill(t, s, "/k", 5)
	past, now, future := watch(t, s, "/k", Exact, 3), watch(t, s, "/k", Exact, 0), watch(t, s, "/k", Exact, 8)
	for i := uint64(3); i <= 5; i++ {
		wantEvent(t, past, i)
	}
	for _, w := range []*Watcher{past, now, future} {
		wantNoEvent(t, w)
	}
	fill(t, s, "/k", 9)
	wantEvent(t, past, 6)
	wantEvent(t, now, 6)
	wantEvent(t, future, 8)
	wantEvent(t, future, 9)
	wantNoEvent(t, future)
}

func TestRefreshWakesNoWatcher(t *testing.T) {
	s := New(1000)
	must(t, s, Command{Op: OpSet, Path: "/k", Value: "v"})
	live := watch(t, s, "/", Recursive, 0)
	live.Notify(func() { t.Error("the refresh woke the watcher") })
	must(t, s, Command{Op: OpUpdate, Path: "/k", Refresh: true, Expires: 9 * second})
	live.Notify(func() {})
	wantNoEvent(t, live)
	wantNoEvent(t, watch(t, s, "/k", Exact, 3))
	must(t, s, Command{Op: OpDelete, Path: "/k"})
	wantEvent(t, live, 4)
}

// TestNotify checks that the function is called once for several events, and at once for
// an event that came before Notify.
func TestNotify(t *testing.T) {
	s := New(1000)
	calls := 0
	count := func() { calls++ }
	wantCalls := func(when string, want int) {
		t.Helper()
		if calls != want {
			t.Errorf("%d calls %s, want %d", calls, when, want)
		}
		calls = 0
	}
	w := watch(t, s, "/k", Exact, 0)
	w.Notify(count)
	wantCalls("without an event", 0)
	fill(t, s, "/other", 2)
	wantCalls("after an event of another key", 0)
	fill(t, s, "/k", 4)
	wantCalls("after two events", 1)
	wantEvent(t, w, 3)
	wantEvent(t, w, 4)
	wantNoEvent(t, w)

	fill(t, s, "/k", 5)
	w.Notify(count)
	wantCalls("after an event before Notify", 1)
	wantEvent(t, w, 5)
	wantNoEvent(t, w)

	w.Notify(count)
	w.Close()
	wantCalls("after Close", 1)
	w.Notify(count)
	wantCalls("after a Close before Notify", 1)
}

func TestDeletedParents(t *testing.T) {
	for _, action := range []string{"delete", "expire"} {
		t.Run(action, func(t *testing.T) {
			s := New(1000)
			must(t, s, Command{Op: OpSet, Path: "/d/e/f"})
			must(t, s, Command{Op: OpSet, Path: "/d/_h/g"})
			must(t, s, Command{Op: OpSet, Path: "/dx"})
			below := []*Watcher{
				watch(t, s, "/d", Exact, 0), watch(t, s, "/d/e", Exact, 0), watch(t, s, "/d/e/f", Recursive, 0),
				watch(t, s, "/d/_h/g", Exact, 0), watch(t, s, "/", Recursive, 0),
			}
			others := []*Watcher{watch(t, s, "/dx", Recursive, 0), watch(t, s, "/d/none", Exact, 0), watch(t, s, "/", Exact, 0)}
			if action == "delete" {
				must(t, s, Command{Op: OpDelete, Path: "/d", Recursive: true})
			} else {
				must(t, s, Command{Op: OpUpdate, Path: "/d", Refresh: true, Expires: 2 * second})
				s.Apply(3*second, []Command{{Op: OpExpire}})
				s.Announce()
			}
			at := s.View().Index()
			for _, w := range below {
				if e := wantEvent(t, w, at); e.Node().Path() != "/d" || e.Action().String() != action {
					t.Errorf("%s got %s", w.path, e.AppendJSON(nil))
				}
			}
			for _, w := range others {
				wantNoEvent(t, w)
			}
			wantEvent(t, watch(t, s, "/d/none", Exact, at), at) // the history does not show that there was no such node
			wantNoEvent(t, watch(t, s, "/dx", Exact, at))
		})
	}
}

// ring is the size of the history in the tests below.
const ring = 1000

// TestWaitingWatcherMissesNothing writes more events of other keys than the history holds. A
// waiting watcher must still return its event.
func TestWaitingWatcherMissesNothing(t *testing.T) {
	t.Run("quiet path", func(t *testing.T) {
		s := New(ring)
		w := watch(t, s, "/quiet", Exact, 0)
		fill(t, s, "/busy", 5*ring)
		wantNoEvent(t, w)
		must(t, s, Command{Op: OpSet, Path: "/quiet"})
		wantEvent(t, w, 5*ring+1)
	})
	t.Run("its event has left the history", func(t *testing.T) {
		s := New(ring)
		w := watch(t, s, "/quiet", Exact, 0)
		must(t, s, Command{Op: OpSet, Path: "/quiet"})
		fill(t, s, "/busy", 5*ring)
		wantEvent(t, w, 2)
		wantNoEvent(t, w) // no later event matches
	})
	t.Run("an index in the future, not polled yet", func(t *testing.T) {
		s := New(ring)
		fill(t, s, "/quiet", 10)
		w := watch(t, s, "/quiet", Exact, 11)
		must(t, s, Command{Op: OpSet, Path: "/quiet"})
		fill(t, s, "/busy", 5*ring)
		wantEvent(t, w, 11)
	})
	t.Run("an index in the future, with an event before it", func(t *testing.T) {
		s := New(ring)
		w := watch(t, s, "/quiet", Exact, 3)
		fill(t, s, "/quiet", 4)
		fill(t, s, "/busy", 5*ring)
		wantEvent(t, w, 3)
	})
}

// TestBusyWatcherMissesNothing is TestWaitingWatcherMissesNothing with watchers that have
// returned an event before. They must return each event, or an error.
func TestBusyWatcherMissesNothing(t *testing.T) {
	t.Run("an event is offered after it was read", func(t *testing.T) {
		s := New(ring)
		w := watch(t, s, "/quiet", Exact, 2)
		wantNoEvent(t, w)
		s.Apply(1, []Command{{Op: OpSet, Path: "/quiet"}})
		other, err := w.store.Watch("/quiet", Exact, 2)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		wantEvent(t, other, 2) // read from the history, before Announce
		wantNoEvent(t, other)
		s.Announce()
		must(t, s, Command{Op: OpSet, Path: "/quiet"})
		fill(t, s, "/busy", 5*ring)
		wantEvent(t, other, 3)
		wantEvent(t, w, 2)
	})
	t.Run("an event is offered after it was read, and the watcher is live", func(t *testing.T) {
		s := New(ring)
		w := watch(t, s, "/quiet", Exact, 2)
		seen := must(t, s, Command{Op: OpSet, Path: "/quiet"})
		wantEvent(t, w, 2)
		wantNoEvent(t, w)
		w.offer(seen) // as the hub may do
		must(t, s, Command{Op: OpSet, Path: "/quiet"})
		fill(t, s, "/busy", 5*ring)
		wantEvent(t, w, 3)
	})
	t.Run("a second event while the first is sent", func(t *testing.T) {
		s := New(ring)
		w := watch(t, s, "/quiet", Exact, 0)
		fill(t, s, "/quiet", 2)
		wantEvent(t, w, 2) // the events below come while the caller sends this one
		fill(t, s, "/quiet", 3)
		fill(t, s, "/busy", 5*ring)
		wantEvent(t, w, 3)
	})
	t.Run("a slow watcher gets an error", func(t *testing.T) {
		s := New(ring)
		w := watch(t, s, "/k", Exact, 2)
		fill(t, s, "/k", 3)
		wantEvent(t, w, 2)
		fill(t, s, "/k", 2*ring)
		_, err := w.Poll()
		mustBeCleared(t, err, s, 3)
	})
}

func TestCloseWakesNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(10)
		w := watch(t, s, "/k", Exact, 0)
		var ended error
		go func() { _, ended = w.Next(context.Background()) }()
		synctest.Wait() // until Next waits
		if ended != nil {
			t.Fatalf("Next returned before Close: %v", ended)
		}
		w.Close()
		w.Close()
		synctest.Wait()
		if !errors.Is(ended, ErrWatcherClosed) {
			t.Errorf("got %v", ended)
		}
		must(t, s, Command{Op: OpSet, Path: "/k"})
		if _, err := w.Poll(); !errors.Is(err, ErrWatcherClosed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestNextEndsWithItsContext(t *testing.T) {
	s := New(10)
	w := watch(t, s, "/k", Exact, 0)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	must(t, s, Command{Op: OpSet, Path: "/k"})
	wantEvent(t, w, 2) // the watcher can still be used
}
