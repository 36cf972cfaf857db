package tree

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// watchEach opens a watcher of WatchEach, which the test closes.
func watchEach(t testing.TB, s *Store, paths string, scope Scope, since uint64, received uint32) *Watcher {
	t.Helper()
	w, err := s.WatchEach(strings.Fields(paths), scope, since, received)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// shortEvent describes an event: its index, the number of the part, the action and the key.
func shortEvent(e *Event) string {
	text := fmt.Sprint(e.Index())
	if e.part > 0 {
		text += fmt.Sprint(".", e.part)
	}
	text += " " + e.action.String() + " " + e.node.Path()
	if e.Incomplete() {
		text += " incomplete"
	}
	return text
}

// pollAll returns all events that a watcher has now.
func pollAll(t testing.TB, w *Watcher) (events []string) {
	t.Helper()
	for {
		e, err := w.Poll()
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			return events
		}
		events = append(events, shortEvent(e))
	}
}

func wantEvents(t testing.TB, w *Watcher, want ...string) {
	t.Helper()
	if got := pollAll(t, w); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// newFamily makes a store with some keys below /d, which exist up to index 8, and removes /d at index 9.
func newFamily(t testing.TB, limits HistoryLimits) (s *Store, remove func()) {
	s = New(1000)
	s.SetHistoryLimits(limits)
	for _, path := range []string{"/d/a", "/d/b/c", "/d/b/d", "/d/_h/x", "/d/b/_y", "/d/e", "/other"} {
		must(t, s, Command{Op: OpSet, Path: path, Value: "v"})
	}
	return s, func() { must(t, s, Command{Op: OpDelete, Path: "/d", Recursive: true}) }
}

// TestWatchEach checks the parts of a removal for a live watcher and for one that reads the history.
func TestWatchEach(t *testing.T) {
	const end = "9 delete /d"
	for _, tc := range []struct {
		name, paths string
		scope       Scope
		want        []string
	}{
		{"above", "/", Recursive, []string{
			"9.1 delete /d/a", "9.2 delete /d/b/c", "9.3 delete /d/b/d", "9.4 delete /d/b", "9.5 delete /d/e", end}},
		{"the directory", "/d", Recursive, []string{
			"9.1 delete /d/a", "9.2 delete /d/b/c", "9.3 delete /d/b/d", "9.4 delete /d/b", "9.5 delete /d/e", end}},
		{"the directory alone", "/d", Exact, []string{end}},
		{"a directory below", "/d/b", Recursive, []string{"9.1 delete /d/b/c", "9.2 delete /d/b/d", "9.3 delete /d/b", end}},
		{"a directory below, alone", "/d/b", Exact, []string{"9.1 delete /d/b", end}},
		{"a file below", "/d/b/c", Exact, []string{"9.1 delete /d/b/c", end}},
		{"hidden keys", "/d/_h", Recursive, []string{"9.1 delete /d/_h/x", "9.2 delete /d/_h", end}},
		{"several paths", "/d/e /d/b /d/b/c /d/_h", Recursive, []string{
			"9.1 delete /d/_h/x", "9.2 delete /d/_h", "9.3 delete /d/b/c", "9.4 delete /d/b/d", "9.5 delete /d/b", "9.6 delete /d/e", end}},
		{"several keys", "/d/e /d/b/c", Exact, []string{"9.1 delete /d/b/c", "9.2 delete /d/e", end}},
		{"elsewhere", "/other", Recursive, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, remove := newFamily(t, HistoryLimits{RemovedBytes: 1 << 20})
			live := watchEach(t, s, tc.paths, tc.scope, 0, 0)
			remove()
			wantEvents(t, live, tc.want...)
			wantEvents(t, watchEach(t, s, tc.paths, tc.scope, 9, 0), tc.want...)
			for received := range len(tc.want) {
				wantEvents(t, watchEach(t, s, tc.paths, tc.scope, 9, uint32(received)), tc.want[received:]...)
			}
		})
	}
}

// TestWatchEachWithoutLimit checks that live watchers get all parts although nothing is kept for later ones, and that the memory is free
// afterwards.
func TestWatchEachWithoutLimit(t *testing.T) {
	s, remove := newFamily(t, HistoryLimits{})
	live, closed := watchEach(t, s, "/d/b", Recursive, 0, 0), watchEach(t, s, "/", Recursive, 0, 0)
	remove()
	if use := s.HistoryUse(); use.RemovedBytes == 0 {
		t.Error("the removed nodes are not kept for the watchers")
	}
	closed.Close()
	wantEvents(t, live, "9.1 delete /d/b/c", "9.2 delete /d/b/d", "9.3 delete /d/b", "9 delete /d")
	if use := s.HistoryUse(); use.RemovedBytes != 0 || use.RemovedDropped != 1 {
		t.Errorf("kept are %+v", use)
	}
	late := watchEach(t, s, "/d/b", Recursive, 9, 0)
	wantEvents(t, late, "9 delete /d incomplete")
	live.Close()
	late.Close()
	must(t, s, Command{Op: OpSet, Path: "/d/b"})
	must(t, s, Command{Op: OpDelete, Path: "/d", Recursive: true})
	if use := s.HistoryUse(); use.RemovedBytes != 0 {
		t.Errorf("kept without a reader are %+v", use)
	}
}

// TestRemovalIsDropped checks the event of a watcher that reads the parts too slowly.
func TestRemovalIsDropped(t *testing.T) {
	s := New(1000)
	s.SetHistoryLimits(HistoryLimits{RemovedBytes: 60_000})
	fillDir := func() {
		for i := range 300 {
			must(t, s, Command{Op: OpSet, Path: fmt.Sprintf("/d/%03d", i)})
		}
	}
	fillDir()
	w := watchEach(t, s, "/d", Recursive, 0, 0)
	must(t, s, Command{Op: OpDelete, Path: "/d", Recursive: true})
	for range 10 {
		if e, err := w.Poll(); err != nil || e.Part() == 0 {
			t.Fatal(e, err)
		}
	}
	fillDir()
	must(t, s, Command{Op: OpDelete, Path: "/d", Recursive: true})
	got := pollAll(t, w)
	if n := len(got); n < 600 || got[0] != "302.11 delete /d/010" || got[maxCollected-10] != "302 delete /d incomplete" ||
		got[n-1] != "603 delete /d" || got[n-2] != "603.300 delete /d/299" {
		t.Errorf("got %d events: %q", len(got), got)
	}
}

// TestLargeRemovalIsHeld removes a directory that is larger than the limit while a watcher has not read the events before it. Removals of
// small directories do not push it out.
func TestLargeRemovalIsHeld(t *testing.T) {
	for _, tc := range []struct {
		name   string
		behind bool
	}{{"live", false}, {"behind", true}} {
		t.Run(tc.name, func(t *testing.T) {
			s := New(1000)
			s.SetHistoryLimits(HistoryLimits{RemovedBytes: 1000})
			const keys = 300
			for i := range keys {
				must(t, s, Command{Op: OpSet, Path: fmt.Sprintf("/d/%03d", i)})
			}
			since := uint64(0)
			if tc.behind {
				since = keys // of the last but one event
			}
			w := watchEach(t, s, "/", Recursive, since, 0)
			must(t, s, Command{Op: OpSet, Path: "/small/a"})
			must(t, s, Command{Op: OpDelete, Path: "/d", Recursive: true})
			for e := (*Event)(nil); e == nil || e.Part() < 10; {
				var err error
				if e, err = w.Poll(); err != nil || e == nil {
					t.Fatal(e, err)
				}
			}
			must(t, s, Command{Op: OpDelete, Path: "/small", Recursive: true})
			got := pollAll(t, w)
			end := []string{"303.300 delete /d/299", "303 delete /d", "304.1 delete /small/a", "304 delete /small"}
			if n := len(got); n != keys-10+3 || !slices.Equal(got[n-len(end):], end) {
				t.Errorf("got %d events: %q", n, got)
			}
			if use := s.HistoryUse(); use.RemovedBytes > 1000 {
				t.Errorf("kept are %+v", use)
			}
		})
	}
}

func TestSkipParts(t *testing.T) {
	s, remove := newFamily(t, HistoryLimits{RemovedBytes: 1 << 20})
	w := watchEach(t, s, "/d", Recursive, 0, 0)
	remove()
	if e, err := w.Poll(); err != nil || shortEvent(e) != "9.1 delete /d/a" {
		t.Fatal(e, err)
	}
	w.SkipParts()
	must(t, s, Command{Op: OpSet, Path: "/d/a"})
	must(t, s, Command{Op: OpDelete, Path: "/d", Recursive: true})
	wantEvents(t, w, "9 delete /d", "10 set /d/a", "11.1 delete /d/a", "11 delete /d")
}

// TestLaterLargeRemoval removes two directories that are larger than the limit. The second one pushes out the first one, and is complete.
func TestLaterLargeRemoval(t *testing.T) {
	s, remove := newFamily(t, HistoryLimits{RemovedBytes: 200})
	w := watchEach(t, s, "/", Recursive, 0, 0)
	remove()
	if e, err := w.Poll(); err != nil || shortEvent(e) != "9.1 delete /d/a" {
		t.Fatal(e, err)
	}
	for _, path := range []string{"/f/a", "/f/b"} {
		must(t, s, Command{Op: OpSet, Path: path})
	}
	must(t, s, Command{Op: OpDelete, Path: "/f", Recursive: true})
	got := pollAll(t, w)
	if end := []string{"12.1 delete /f/a", "12.2 delete /f/b", "12 delete /f"}; len(got) < 3 || !slices.Equal(got[len(got)-3:], end) {
		t.Errorf("got %q", got)
	}
	w.Close()
	if use := s.HistoryUse(); use.RemovedBytes != 0 || use.RemovedDropped != 2 {
		t.Errorf("kept are %+v", use)
	}
}

// TestClosedWatcherHoldsNothing closes a watcher in the middle of the Poll that begins with a removal.
func TestClosedWatcherHoldsNothing(t *testing.T) {
	s, remove := newFamily(t, HistoryLimits{RemovedBytes: 1 << 20})
	w := watchEach(t, s, "/", Recursive, 0, 0)
	remove()
	event, err := w.poll()
	if err != nil || event == nil {
		t.Fatal(event, err)
	}
	w.Close()
	w.expand(event) // the rest of Poll
	if holders := s.removals.kept[0].holders; holders != 0 {
		t.Errorf("the removal has %d holders", holders)
	}
}

// TestIncompleteAfterRestart checks the removal of a directory that the store knows from its checkpoint alone.
func TestIncompleteAfterRestart(t *testing.T) {
	s, remove := newFamily(t, HistoryLimits{RemovedBytes: 1 << 20})
	remove()
	loaded := reloaded(t, s)
	loaded.SetHistoryLimits(HistoryLimits{RemovedBytes: 1 << 20})
	w := watchEach(t, loaded, "/d", Recursive, 9, 0)
	e, err := w.Poll()
	if err != nil || string(e.AppendJSON(nil)) != `{"action":"delete","node":{"key":"/d","dir":true,"modifiedIndex":9,"createdIndex":2},`+
		`"prevNode":{"key":"/d","dir":true,"modifiedIndex":2,"createdIndex":2},"incomplete":true}`+"\n" {
		t.Fatalf("%s, %v", e.AppendJSON(nil), err)
	}
}

// TestEachMatchesModel compares the events of random watchers of WatchEach with those of a model that looks at every removed path.
func TestEachMatchesModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, m := New(1000), newModel(1000)
		s.SetHistoryLimits(HistoryLimits{RemovedBytes: 1 << 30})
		now := 100 * second
		type pair struct {
			w    *Watcher
			got  []string
			from uint64
		}
		var pairs []*pair
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			if rapid.IntRange(0, 2).Draw(rt, "step") == 0 {
				paths := []string{genPath(rt, m)}
				for range rapid.IntRange(0, 2).Draw(rt, "more") {
					paths = append(paths, genPath(rt, m))
				}
				w, err := s.WatchEach(paths, Scope(rapid.IntRange(0, 1).Draw(rt, "scope")), 0, 0)
				if err != nil {
					rt.Fatal(err)
				}
				defer w.Close()
				pairs = append(pairs, &pair{w: w, from: m.index + 1})
				continue
			}
			now = genNow(rt, now)
			commands := genBatch(rt, m, now, 4)
			for _, c := range commands {
				_, _ = m.do(now, c)
			}
			s.Apply(now, commands)
			s.Announce()
			for _, p := range pairs {
				for range rapid.IntRange(0, 9).Draw(rt, "polls") {
					if e, err := p.w.Poll(); err != nil {
						rt.Fatal(err)
					} else if e != nil {
						p.got = append(p.got, shortEvent(e))
					}
				}
			}
		}
		for _, p := range pairs {
			p.got = append(p.got, pollAll(t, p.w)...)
			if want := eachOfModel(m, p.w, p.from, p.got); !slices.Equal(p.got, want) {
				rt.Fatalf("%s %v (%d) from %d got\n%q, want\n%q", p.w.path, p.w.options.others, p.w.scope, p.from, p.got, want)
			}
		}
	})
}

// eachOfModel returns the events that a watcher must have returned. An event that concerns it only because it might have removed a watched
// path is expected if the watcher has returned it; see maybe.
func eachOfModel(m *model, w *Watcher, from uint64, got []string) (want []string) {
	var models []*watchModel
	w.paths(func(path string) { models = append(models, &watchModel{path: path, scope: w.scope}) })
	for i := from; i <= m.index; i++ {
		e := &m.events[i-2]
		concerned := never
		var parts []string
		for _, one := range models {
			concerned = max(concerned, one.concern(e))
			for _, path := range e.gone {
				gone := &modelEvent{action: "set", node: modelNode{path: path}}
				if path != e.node.path && one.concern(gone) == always && !slices.Contains(parts, path) {
					parts = append(parts, path)
				}
			}
		}
		slices.SortFunc(parts, childrenFirst)
		event := fmt.Sprint(i, " ", e.action, " ", e.node.path)
		if concerned == never || concerned == maybe && !slices.Contains(got, event) {
			continue
		}
		for k, path := range parts {
			want = append(want, fmt.Sprint(i, ".", k+1, " ", e.action, " ", path))
		}
		want = append(want, event)
	}
	return want
}

// childrenFirst orders paths as the parts of a removal.
func childrenFirst(a, b string) int {
	switch {
	case below(a, b):
		return -1
	case below(b, a):
		return 1
	}
	return comparePaths(a, b)
}
