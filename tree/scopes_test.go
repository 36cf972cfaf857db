package tree

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// newScoped makes a store whose history holds size events and whose scopes hold limit bytes.
func newScoped(size int, limit int64) *Store {
	s := New(size)
	s.SetHistoryLimits(HistoryLimits{ScopeBytes: limit})
	return s
}

// noise changes a key n times.
func noise(t testing.TB, s *Store, path string, n int) {
	t.Helper()
	for range n {
		must(t, s, Command{Op: OpSet, Path: path})
	}
}

// openOnce opens a watcher and closes it at once, so that the subtree is kept.
func openOnce(t testing.TB, s *Store, path string, scope Scope) {
	t.Helper()
	watch(t, s, path, scope, 0).Close()
}

func wantCleared(t testing.TB, s *Store, path string, scope Scope, since uint64) {
	t.Helper()
	w, err := s.Watch(path, scope, since)
	if err == nil {
		_, err = w.Poll()
		w.Close()
	}
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeHistoryCleared {
		t.Errorf("a watch of %s from %d: %v", path, since, err)
	}
}

// TestQuietSubtree checks that the changes of other keys do not end the watches of a quiet one.
func TestQuietSubtree(t *testing.T) {
	s := newScoped(5, 1<<20)
	noise(t, s, "/quiet/before", 1) // 2
	noise(t, s, "/noise", 20)       // 3 to 22
	wantCleared(t, s, "/quiet", Recursive, 2)
	openOnce(t, s, "/quiet", Recursive)
	noise(t, s, "/quiet/a", 1)                                           // 23
	must(t, s, Command{Op: OpSet, Path: "/quiet/_h"})                    // 24
	must(t, s, Command{Op: OpSet, Path: "/quiet/d/x"})                   // 25
	must(t, s, Command{Op: OpDelete, Path: "/quiet/d", Recursive: true}) // 26
	noise(t, s, "/noise", 100)                                           // 27 to 126
	must(t, s, Command{Op: OpDelete, Path: "/quiet", Recursive: true})   // 127
	for _, since := range []uint64{19, 22, 23} {
		w := watch(t, s, "/quiet", Recursive, since)
		if w.Oldest() > 19 {
			t.Errorf("the oldest index is %d", w.Oldest())
		}
		wantEvents(t, w, "23 set /quiet/a", "25 set /quiet/d/x", "26 delete /quiet/d", "127 delete /quiet")
	}
	wantEvents(t, watch(t, s, "/quiet", Recursive, 26), "26 delete /quiet/d", "127 delete /quiet")
	wantEvents(t, watch(t, s, "/quiet", Recursive, 300))
	wantCleared(t, s, "/quiet", Recursive, 17)
	wantCleared(t, s, "/quiet/d", Recursive, 23) // another subtree
	wantCleared(t, s, "/quiet", Exact, 23)
	if use := s.HistoryUse(); use.Scopes != 3 || use.ScopeEvicted != 0 {
		t.Errorf("%+v", use)
	}
}

// TestScopesOfSeveralPaths checks the order of the events of a watcher of several paths.
func TestScopesOfSeveralPaths(t *testing.T) {
	s := newScoped(3, 1<<20)
	paths := []string{"/a", "/b", "/a/x"}
	first, err := s.WatchAll(paths, Recursive, 0)
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	for _, path := range []string{"/a/x", "/b/1", "/c", "/a/y", "/b/2", "/c", "/c", "/c", "/c"} {
		noise(t, s, path, 1)
	}
	w, err := s.WatchAll(paths, Recursive, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	wantEvents(t, w, "2 set /a/x", "3 set /b/1", "5 set /a/y", "6 set /b/2")
}

// TestScopesAreBounded checks that a busy subtree loses its events first, and that unwatched ones go at the end.
func TestScopesAreBounded(t *testing.T) {
	const limit = 20_000
	s := newScoped(5, limit)
	openOnce(t, s, "/quiet", Exact)
	openOnce(t, s, "/busy", Exact)
	noise(t, s, "/quiet", 2) // 2 and 3
	noise(t, s, "/busy", 1000)
	use := s.HistoryUse()
	if use.ScopeBytes > limit || use.ScopeBytes < limit/2 || use.ScopeEvicted < 900 {
		t.Errorf("%+v", use)
	}
	wantEvents(t, watch(t, s, "/quiet", Exact, 2), "2 set /quiet", "3 set /quiet")
	wantCleared(t, s, "/busy", Exact, 4)
	for i := range 1000 {
		openOnce(t, s, fmt.Sprint("/", i), Exact)
	}
	if use := s.HistoryUse(); use.ScopeBytes > limit || use.Scopes > limit/subtreeBytes {
		t.Errorf("%+v", use)
	}
	wantCleared(t, s, "/busy", Exact, 900)
}

// TestScopesAfterReplace checks that a store that got the content of another one keeps no events from before.
func TestScopesAfterReplace(t *testing.T) {
	s, from := newScoped(5, 1<<20), New(5)
	openOnce(t, s, "/a", Exact)
	noise(t, s, "/a", 3)
	noise(t, s, "/b", 20)
	noise(t, from, "/a", 40) // 2 to 41
	s.Replace(from)
	wantCleared(t, s, "/a", Exact, 2)
	wantCleared(t, s, "/a", Exact, 36)
	wantEvents(t, watch(t, s, "/a", Exact, 40), "40 set /a", "41 set /a")
	noise(t, s, "/b", 20)
	wantEvents(t, watch(t, s, "/a", Exact, 40), "40 set /a", "41 set /a")
}

// TestScopesOfAMirror checks that nothing is kept over indexes that a mirror leaves out.
func TestScopesOfAMirror(t *testing.T) {
	s := newMirror(t, 10)
	s.SetHistoryLimits(HistoryLimits{ScopeBytes: 1 << 20})
	openOnce(t, s, "/a", Exact)
	at := s.View().Index()
	mirror(t, s, &MirrorChange{After: at, To: at + 1, Events: []EventFields{setEvent("/a", at+1)}})
	mirror(t, s, &MirrorChange{After: at + 1, To: at + 6})
	mirror(t, s, &MirrorChange{After: at + 6, To: at + 14})
	wantEvents(t, watch(t, s, "/a", Exact, at+1), fmt.Sprint(at+1, " set /a"))
	mirror(t, s, &MirrorChange{After: at + 14, To: at + 500})
	wantCleared(t, s, "/a", Exact, at+1)
	wantEvents(t, watch(t, s, "/a", Exact, at+495))
	mirror(t, s, &MirrorChange{After: at + 500, To: at + 600, Reset: true})
	wantCleared(t, s, "/a", Exact, at+495)
}

// TestScopesMatchModel compares watchers that begin at random indexes with a model that has all events. A watcher must return all its
// events from there on, or CodeHistoryCleared. It must not be cleared if its subtree was watched since and nothing was evicted.
func TestScopesMatchModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.SampledFrom([]int{2, 5}).Draw(rt, "history")
		limit := rapid.SampledFrom([]int64{2000, 1 << 20}).Draw(rt, "limit")
		s, m := newScoped(size, limit), newModel(size)
		now := 100 * second
		since := map[string]uint64{} // the index of the first watch of a subtree
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			if rapid.IntRange(0, 3).Draw(rt, "step") > 0 {
				now = genNow(rt, now)
				commands := genBatch(rt, m, now, 4)
				for _, c := range commands {
					_, _ = m.do(now, c)
				}
				s.Apply(now, commands)
				s.Announce()
				continue
			}
			want := &watchModel{path: genPath(rt, m), scope: Scope(rapid.IntRange(0, 1).Draw(rt, "scope"))}
			want.cursor = uint64(rapid.IntRange(2, int(m.index)+2).Draw(rt, "since"))
			key := fmt.Sprint(want.scope, want.path)
			w, err := s.Watch(want.path, want.scope, want.cursor)
			var cleared *Error
			for err == nil {
				var e *Event
				if e, err = w.Poll(); e == nil {
					break
				}
				want.mustNotHaveMissed(rt, m, e.Index())
				compareEvent(rt, m, &m.events[e.Index()-2], e)
				want.cursor = e.Index() + 1
			}
			if w != nil {
				w.Close()
			}
			first, watched := since[key]
			switch {
			case err == nil:
				want.mustNotHaveMissed(rt, m, m.index+1)
			case !errors.As(err, &cleared) || cleared.Code != CodeHistoryCleared:
				rt.Fatal(err)
			case watched && want.cursor >= first && s.HistoryUse().ScopeEvicted == 0 && limit > 2000:
				rt.Fatalf("%+v was cleared, but it is watched since %d", want, first)
			}
			if !watched {
				since[key] = m.index + 1
			}
		}
		if use := s.HistoryUse(); use.ScopeBytes > limit {
			rt.Fatalf("%+v", use)
		}
	})
}

// TestScopesWhileWriting reads quiet subtrees while others change, for the race detector.
func TestScopesWhileWriting(t *testing.T) {
	s := newScoped(3, 1<<20)
	openOnce(t, s, "/quiet", Recursive)
	var want []string
	var readers sync.WaitGroup
	for i := range 300 {
		must(t, s, Command{Op: OpSet, Path: "/quiet/k"})
		want = append(want, fmt.Sprint(s.View().Index(), " set /quiet/k"))
		noise(t, s, "/noise", 10)
		if i%30 == 0 {
			expected, w := slices.Clone(want), watch(t, s, "/quiet", Recursive, 2)
			readers.Go(func() {
				if got := pollAll(t, w); len(got) < len(expected) || !slices.Equal(got[:len(expected)], expected) {
					t.Errorf("got %q, want %q", got, expected)
				}
			})
		}
	}
	readers.Wait()
}
