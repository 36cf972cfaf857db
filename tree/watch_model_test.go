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

// concern is how much a watcher has to do with an event.
type concern int

const (
	nothing concern = iota
	// perhaps: a directory went away above a path at which nothing was. A scan
	// of the history shows it, a waiting watcher sleeps on.
	perhaps
	surely
)

// watchModel is a watcher as its user sees it.
type watchModel struct {
	path   string
	scope  Scope
	cursor uint64 // the first index that was not answered for
	// waiting says that the watcher was told that nothing is there. From then
	// on the next event for it is certain to come.
	waiting bool
	over    bool
}

func (w *watchModel) concern(e *modelEvent) concern {
	inside := func(p, dir string) bool { return strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/") && p != dir }
	path := e.node.path
	removal := e.action == "delete" || e.action == "expire" || e.action == "compareAndDelete"
	switch {
	case e.refresh:
		return nothing
	case path == w.path:
		return surely
	case inside(path, w.path):
		if w.scope == Recursive && !slices.ContainsFunc(strings.Split(path[len(w.path):], "/"), hiddenName) && !hiddenChildOfRoot(w.path, path) {
			return surely
		}
	case removal && e.node.dir && inside(w.path, path):
		if slices.Contains(e.gone, w.path) {
			return surely
		}
		return perhaps
	}
	return nothing
}

// hiddenChildOfRoot: below the root, the first component follows no slash of
// its own once the root's is cut off.
func hiddenChildOfRoot(dir, path string) bool {
	return dir == "/" && strings.HasPrefix(path, "/_")
}

// poll compares one Poll with what the model allows.
func (w *watchModel) poll(t *rapid.T, m *model, e *Event, err error) {
	var fell *Error
	switch {
	case errors.As(err, &fell):
		var oldest, lost uint64
		n, _ := fmt.Sscanf(fell.Cause, "the requested history has been cleared [%d/%d]", &oldest, &lost)
		if n != 2 || oldest != m.oldest() || lost < w.cursor || lost >= oldest || fell.Code != CodeHistoryCleared || fell.Index != m.index || w.waiting {
			t.Fatalf("%+v at %d: %v", w, m.index, err)
		}
		w.owed(t, m, lost) // it may know better than the cursor from where on events are lost
		w.over = true
	case err != nil:
		t.Fatalf("%+v: %v", w, err)
	case e == nil:
		w.owed(t, m, m.index+1)
		w.cursor, w.waiting = max(w.cursor, m.index+1), true
	default:
		w.owed(t, m, e.Index())
		if e.Index() < w.cursor || w.concern(&m.events[e.Index()-2]) == nothing {
			t.Fatalf("%+v got event %d, %s", w, e.Index(), e.AppendJSON(nil))
		}
		compareEvent(t, &m.events[e.Index()-2], e)
		w.cursor, w.waiting = e.Index()+1, false
	}
}

// owed fails if an event before end had to come and did not.
func (w *watchModel) owed(t *rapid.T, m *model, end uint64) {
	for i := w.cursor; i < end; i++ {
		if w.concern(&m.events[i-2]) == surely {
			t.Fatalf("%+v was not given event %d, %+v", w, i, m.events[i-2])
		}
	}
}

// TestWatchersMatchModel polls random watchers at random moments: each event
// that concerns one comes once, in order, or the watcher is told that it fell
// off the history; one that waits never does.
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
					for i := 0; !p.want.over && i < 3 && (i == 0 || !p.want.waiting); i++ {
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
	var fell *Error
	if cleared := since != 0 && since < m.oldest() && m.oldest() > 2; cleared {
		if !errors.As(err, &fell) || fell.Code != CodeHistoryCleared || fell.Index != m.index {
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
		want.waiting = true // nothing to read up on: it waits from the start
	}
	return real, want
}

// TestConcern pins what the model takes for granted.
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
		{"/a", Exact, set("/a"), surely},
		{"/a", Exact, set("/a/b"), nothing},
		{"/a", Recursive, set("/a/b/c"), surely},
		{"/a", Recursive, set("/ab"), nothing},
		{"/", Recursive, set("/a"), surely},
		{"/", Recursive, set("/_a"), nothing},
		{"/", Recursive, set("/a/_b/c"), nothing},
		{"/_a", Recursive, set("/_a/b"), surely},
		{"/_a", Exact, set("/_a"), surely},
		{"/a/b", Exact, gone("/a", "/a/b"), surely},
		{"/a/b", Recursive, gone("/a", "/a/c"), perhaps},
		{"/a/b", Exact, gone("/", "/a"), perhaps},
		{"/ab", Exact, gone("/a"), nothing},
		{"/a", Exact, &modelEvent{action: "set", refresh: true, node: modelNode{path: "/a"}}, nothing},
	} {
		w := &watchModel{path: tc.path, scope: tc.scope, cursor: math.MaxUint64}
		if got := w.concern(tc.event); got != tc.want {
			t.Errorf("%s (%d) and %s of %s: %d, want %d", tc.path, tc.scope, tc.event.action, tc.event.node.path, got, tc.want)
		}
	}
}
