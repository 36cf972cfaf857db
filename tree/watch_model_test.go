package tree

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// concern says whether a watcher must return an event.
type concern int

const (
	never concern = iota
	// maybe: a directory was removed, and the watched path below it had no node. A watcher
	// that is behind returns the event, a live one does not.
	maybe
	always
)

// watchModel is the expected state of a watcher.
type watchModel struct {
	path   string
	scope  Scope
	cursor uint64 // the smallest index of an event that the watcher may still return
	// waiting is set if the last Poll returned nothing. The watcher is then live, so its
	// next event can't be lost.
	waiting bool
	ended   bool
}

func (w *watchModel) concern(e *modelEvent) concern {
	inside := func(p, dir string) bool { return strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/") && p != dir }
	path := e.node.path
	removal := e.action == "delete" || e.action == "expire" || e.action == "compareAndDelete"
	switch {
	case e.refresh, e.action == "auth":
		return never
	case path == w.path:
		return always
	case inside(path, w.path):
		if w.scope == Recursive && !slices.ContainsFunc(strings.Split(path[len(w.path):], "/"), hiddenName) && !hiddenChildOfRoot(w.path, path) {
			return always
		}
	case removal && e.node.dir && inside(w.path, path):
		if slices.Contains(e.gone, w.path) {
			return always
		}
		return maybe
	}
	return never
}

// hiddenChildOfRoot reports whether dir is the root and the first component of path is
// hidden.
func hiddenChildOfRoot(dir, path string) bool {
	return dir == "/" && strings.HasPrefix(path, "/_")
}

// poll checks the result of one Poll, and updates the model.
func (w *watchModel) poll(t *rapid.T, m *model, e *Event, err error) {
	var cleared *Error
	switch {
	case errors.As(err, &cleared):
		var oldest, lost uint64
		n, _ := fmt.Sscanf(cleared.Cause, "the requested history has been cleared [%d/%d]", &oldest, &lost)
		right := cleared.Code == CodeHistoryCleared && cleared.Index == m.index && !w.waiting
		if n != 2 || oldest != m.oldest() || lost < w.cursor || lost >= oldest || !right {
			t.Fatalf("%+v at %d: %v", w, m.index, err)
		}
		w.mustNotHaveMissed(t, m, lost) // lost may be after the cursor
		w.ended = true
	case err != nil:
		t.Fatalf("%+v: %v", w, err)
	case e == nil:
		w.mustNotHaveMissed(t, m, m.index+1)
		w.cursor, w.waiting = max(w.cursor, m.index+1), true
	default:
		w.mustNotHaveMissed(t, m, e.Index())
		if e.Index() < w.cursor || w.concern(&m.events[e.Index()-2]) == never {
			t.Fatalf("%+v got event %d, %s", w, e.Index(), e.AppendJSON(nil))
		}
		compareEvent(t, m, &m.events[e.Index()-2], e)
		w.cursor, w.waiting = e.Index()+1, false
	}
}

// mustNotHaveMissed fails the test if the watcher should have returned an event from the
// cursor on and before the index end.
func (w *watchModel) mustNotHaveMissed(t *rapid.T, m *model, end uint64) {
	for i := w.cursor; i < end; i++ {
		if w.concern(&m.events[i-2]) == always {
			t.Fatalf("%+v was not given event %d, %+v", w, i, m.events[i-2])
		}
	}
}

// TestWatchersMatchModel polls random watchers at random times. Each must return every
// matching event once and in order, or CodeHistoryCleared. A waiting watcher must not return
// this error.
func TestWatchersMatchModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{2, 5, 1000}).Draw(t, "history")
		s, m := New(size), newModel(size)
		now := 100 * second
		type pair struct {
			real *Watcher
			want *watchModel
		}
		var pairs []pair
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				if real, want := openWatcher(t, s, m); real != nil {
					pairs = append(pairs, pair{real, want})
				}
			case 1, 2:
				now = genNow(t, now)
				commands := genBatch(t, m, now, 4)
				for _, c := range commands {
					_, _ = m.do(now, c)
				}
				s.Apply(now, commands)
				s.Announce()
			case 3:
				for _, p := range pairs {
					for i := 0; !p.want.ended && i < 3 && (i == 0 || !p.want.waiting); i++ {
						e, err := p.real.Poll()
						p.want.poll(t, m, e, err)
					}
				}
			}
		}
		if got := s.Watchers(); got != len(pairs) {
			t.Fatalf("%d watchers are open, want %d", got, len(pairs))
		}
		for _, p := range pairs {
			p.real.Close()
		}
		if s.Watchers() != 0 || s.hub.watchers.Len() != 0 {
			t.Fatalf("%d watchers at %d paths are left", s.Watchers(), s.hub.watchers.Len())
		}
	})
}

func openWatcher(t *rapid.T, s *Store, m *model) (*Watcher, *watchModel) {
	want := &watchModel{path: genPath(t, m), scope: Scope(rapid.IntRange(0, 1).Draw(t, "scope"))}
	since := uint64(rapid.IntRange(0, int(m.index)+10).Draw(t, "since"))
	real, err := s.Watch(want.path, want.scope, since)
	var cleared *Error
	if tooOld := since != 0 && since < m.oldest() && m.oldest() > 2; tooOld {
		if !errors.As(err, &cleared) || cleared.Code != CodeHistoryCleared || cleared.Index != m.index {
			t.Fatalf("watch from %d at %d with %d the oldest: %v", since, m.index, m.oldest(), err)
		}
		return nil, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	want.cursor = max(since, 2)
	if since == 0 {
		want.cursor, want.waiting = m.index+1, true
	} else if since > m.index {
		want.waiting = true // the watcher is live from the beginning
	}
	return real, want
}

// TestConcern tests the model.
func TestConcern(t *testing.T) {
	set := func(path string) *modelEvent { return &modelEvent{action: "set", node: modelNode{path: path}} }
	gone := func(path string, below ...string) *modelEvent {
		return &modelEvent{action: "expire", node: modelNode{path: path, dir: true}, gone: below}
	}
	for _, tc := range []struct {
		path  string
		scope Scope
		event *modelEvent
		want  concern
	}{
		{"/a", Exact, set("/a"), always},
		{"/a", Exact, set("/a/b"), never},
		{"/a", Recursive, set("/a/b/c"), always},
		{"/a", Recursive, set("/ab"), never},
		{"/", Recursive, set("/a"), always},
		{"/", Recursive, set("/_a"), never},
		{"/", Recursive, set("/a/_b/c"), never},
		{"/_a", Recursive, set("/_a/b"), always},
		{"/_a", Exact, set("/_a"), always},
		{"/a/b", Exact, gone("/a", "/a/b"), always},
		{"/a/b", Recursive, gone("/a", "/a/c"), maybe},
		{"/a/b", Exact, gone("/", "/a"), maybe},
		{"/ab", Exact, gone("/a"), never},
		{"/a", Exact, &modelEvent{action: "set", refresh: true, node: modelNode{path: "/a"}}, never},
	} {
		w := &watchModel{path: tc.path, scope: tc.scope, cursor: math.MaxUint64}
		if got := w.concern(tc.event); got != tc.want {
			t.Errorf("%s (%d) and %s of %s: %d, want %d", tc.path, tc.scope, tc.event.action, tc.event.node.path, got, tc.want)
		}
	}
}
