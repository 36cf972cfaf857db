package tree

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

func watch(t testing.TB, s *Store, path string, scope Scope, since uint64) *Watcher {
	t.Helper()
	w, err := s.Watch(path, scope, since)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// next wants the event of an index.
func next(t testing.TB, w *Watcher, index uint64) *Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	e, err := w.Next(ctx)
	if err != nil || e.Index() != index {
		t.Fatalf("got %v, %v; want event %d", e, err, index)
	}
	return e
}

// quiet wants no event to be there.
func quiet(t testing.TB, w *Watcher) {
	t.Helper()
	if e, err := w.Poll(); e != nil || err != nil {
		t.Fatalf("got %v, %v; want nothing", e, err)
	}
}

// fallen wants the watcher to have fallen off the history.
func fallen(t testing.TB, err error, s *Store, since uint64) {
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

// fill writes to a path until the index is head, in batches.
func fill(t testing.TB, s *Store, path string, head uint64) {
	t.Helper()
	for s.View().Index() < head {
		n := min(100, head-s.View().Index())
		s.Apply(1, batch(int(n), func(int) Command { return Command{Op: OpSet, Path: path} }))
		s.Announce()
	}
}

func TestHistoryBoundary(t *testing.T) {
	for _, head := range []uint64{1000, 1001, 1002, 2500} {
		t.Run(fmt.Sprint(head), func(t *testing.T) {
			s := New(1000)
			fill(t, s, "/k", head)
			if head <= 1001 { // all events since the beginning are there
				for _, since := range []uint64{1, 2} {
					next(t, watch(t, s, "/k", Exact, since), 2)
				}
				return
			}
			next(t, watch(t, s, "/k", Exact, head-999), head-999)
			_, err := s.Watch("/k", Exact, head-1000)
			fallen(t, err, s, head-1000)
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
		next(t, past, i)
	}
	for _, w := range []*Watcher{past, now, future} {
		quiet(t, w)
	}
	fill(t, s, "/k", 9)
	next(t, past, 6)
	next(t, now, 6)
	next(t, future, 8)
	next(t, future, 9)
	quiet(t, future)
}

func TestRefreshWakesNobody(t *testing.T) {
	s := New(1000)
	must(t, s, Command{Op: OpSet, Path: "/k", Value: "v"})
	live := watch(t, s, "/", Recursive, 0)
	live.Notify(func() { t.Error("the refresh woke the watcher") })
	must(t, s, Command{Op: OpUpdate, Path: "/k", Refresh: true, Expires: 9 * second})
	live.Notify(func() {})
	quiet(t, live)
	quiet(t, watch(t, s, "/k", Exact, 3))
	must(t, s, Command{Op: OpDelete, Path: "/k"})
	next(t, live, 4)
}

// TestNotify checks that a watcher tells of news once, and of what came before it
// was asked to.
func TestNotify(t *testing.T) {
	s := New(1000)
	told := 0
	count := func() { told++ }
	wants := func(when string, want int) {
		t.Helper()
		if told != want {
			t.Errorf("told %d times %s, want %d", told, when, want)
		}
		told = 0
	}
	w := watch(t, s, "/k", Exact, 0)
	w.Notify(count)
	wants("with nothing there", 0)
	fill(t, s, "/other", 2)
	wants("of another key", 0)
	fill(t, s, "/k", 4)
	wants("of two events", 1)
	next(t, w, 3)
	next(t, w, 4)
	quiet(t, w)

	fill(t, s, "/k", 5)
	w.Notify(count)
	wants("of what came before", 1)
	next(t, w, 5)
	quiet(t, w)

	w.Notify(count)
	w.Close()
	wants("of the end", 1)
	w.Notify(count)
	wants("of an end that came before", 1)
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
				if e := next(t, w, at); e.Node().Path() != "/d" || e.Action().String() != action {
					t.Errorf("%s got %s", w.path, e.AppendJSON(nil))
				}
			}
			for _, w := range others {
				quiet(t, w)
			}
			next(t, watch(t, s, "/d/none", Exact, at), at) // a scan knows no better
			quiet(t, watch(t, s, "/dx", Exact, at))
		})
	}
}

// ring is how many events the store of a test keeps.
const ring = 1000

// TestWaitingWatcherSurvivesTheRing wants nothing missed when more was written elsewhere than the store keeps.
func TestWaitingWatcherSurvivesTheRing(t *testing.T) {
	t.Run("quiet path", func(t *testing.T) {
		s := New(ring)
		w := watch(t, s, "/quiet", Exact, 0)
		fill(t, s, "/busy", 5*ring)
		quiet(t, w)
		must(t, s, Command{Op: OpSet, Path: "/quiet"})
		next(t, w, 5*ring+1)
	})
	t.Run("its event has left the ring", func(t *testing.T) {
		s := New(ring)
		w := watch(t, s, "/quiet", Exact, 0)
		must(t, s, Command{Op: OpSet, Path: "/quiet"})
		fill(t, s, "/busy", 5*ring)
		next(t, w, 2)
		quiet(t, w) // nothing of what has gone since concerned it
	})
	t.Run("the future, not polled yet", func(t *testing.T) {
		s := New(ring)
		fill(t, s, "/quiet", 10)
		w := watch(t, s, "/quiet", Exact, 11)
		must(t, s, Command{Op: OpSet, Path: "/quiet"})
		fill(t, s, "/busy", 5*ring)
		next(t, w, 11)
	})
	t.Run("the future, with an event before it", func(t *testing.T) {
		s := New(ring)
		w := watch(t, s, "/quiet", Exact, 3)
		fill(t, s, "/quiet", 4)
		fill(t, s, "/busy", 5*ring)
		next(t, w, 3)
	})
}

// TestWokenWatcherSurvivesTheRing is about watchers at work while their events come: they miss none, or are told.
func TestWokenWatcherSurvivesTheRing(t *testing.T) {
	t.Run("woken late for what it has seen", func(t *testing.T) {
		s := New(ring)
		w := watch(t, s, "/quiet", Exact, 2)
		quiet(t, w)
		s.Apply(1, []Command{{Op: OpSet, Path: "/quiet"}})
		next2, err := w.store.Watch("/quiet", Exact, 2)
		if err != nil {
			t.Fatal(err)
		}
		defer next2.Close()
		next(t, next2, 2) // read from the ring, before Notify
		quiet(t, next2)
		s.Announce()
		must(t, s, Command{Op: OpSet, Path: "/quiet"})
		fill(t, s, "/busy", 5*ring)
		next(t, next2, 3)
		next(t, w, 2)
	})
	t.Run("woken for what it has seen while it fell asleep", func(t *testing.T) {
		s := New(ring)
		w := watch(t, s, "/quiet", Exact, 2)
		seen := must(t, s, Command{Op: OpSet, Path: "/quiet"})
		next(t, w, 2)
		quiet(t, w)
		w.offer(seen) // as the hub does when it is late
		must(t, s, Command{Op: OpSet, Path: "/quiet"})
		fill(t, s, "/busy", 5*ring)
		next(t, w, 3)
	})
	t.Run("a busy one on a quiet path", func(t *testing.T) {
		s := New(ring)
		w := watch(t, s, "/quiet", Exact, 0)
		fill(t, s, "/quiet", 2)
		next(t, w, 2) // and while this is sent:
		fill(t, s, "/quiet", 3)
		fill(t, s, "/busy", 5*ring)
		next(t, w, 3)
	})
	t.Run("a slow one is told", func(t *testing.T) {
		s := New(ring)
		w := watch(t, s, "/k", Exact, 2)
		fill(t, s, "/k", 3)
		next(t, w, 2)
		fill(t, s, "/k", 2*ring)
		_, err := w.Poll()
		fallen(t, err, s, 3)
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
			t.Fatalf("Next has not waited: %v", ended)
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
	next(t, w, 2) // the watcher itself goes on
}
