package tree

import (
	"fmt"
	"slices"
	"testing"
)

// watchKeys opens a key watcher, which is closed at the end of the test.
func watchKeys(t testing.TB, s *Store, r KeyRange, start uint64) *KeyWatcher {
	t.Helper()
	w, err := s.WatchKeys(r, start)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// pollKeys polls once and returns the changes as texts.
func pollKeys(t testing.TB, w *KeyWatcher, maxBytes int) (events []string, b KeyBatch) {
	t.Helper()
	b, err := w.Poll(maxBytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range b.Events {
		change := "put"
		if e.Deleted {
			change = "delete"
		}
		events = append(events, fmt.Sprintf("%d %s %s", e.Revision(), change, e.Node.Path()))
	}
	return events, b
}

func TestKeyWatchAcrossSnapshots(t *testing.T) {
	ahead, disk := New(10), newCheckpoint()
	startKeys(ahead)
	for i := range 20 {
		must(t, ahead, Command{Op: OpSet, Path: fmt.Sprint("/k", i)})
	}
	behind := New(10)
	startKeys(behind)
	must(t, behind, Command{Op: OpSet, Path: "/k0"})
	all := KeyRange{From: "/", To: "0"}
	t.Run("a watcher goes on if the history has its next event", func(t *testing.T) {
		disk.write(ahead.TakeDelta())
		w := watchKeys(t, behind, all, 0)
		pollKeys(t, w, 1)
		woken := 0
		w.Notify(func() { woken++ })
		behind.Replace(mustLoad(t, disk))
		events, b := pollKeys(t, w, 1<<20)
		if woken != 1 || len(events) != 19 || events[0] != "3 put /k1" || b.Revision != ahead.View().Revision() {
			t.Errorf("woken %d times, got %v, revision %d", woken, events, b.Revision)
		}
	})
	t.Run("a watcher ends with the compact revision otherwise", func(t *testing.T) {
		w := watchKeys(t, behind, all, 0)
		pollKeys(t, w, 1)
		for i := range 20 {
			must(t, ahead, Command{Op: OpSet, Path: fmt.Sprint("/k", i)})
		}
		compactTo(t, ahead, ahead.View().Revision()-1)
		disk.write(ahead.TakeDelta())
		behind.Replace(mustLoad(t, disk))
		if _, err := w.Poll(1); err == nil || err.Code != CodeCompacted || err.Revision != ahead.View().CompactRevision() {
			t.Errorf("got %v", err)
		}
	})
}

// TestKeyWatchOfLargeRemoval removes a directory with many keys. The batches must be bounded in bytes.
func TestKeyWatchOfLargeRemoval(t *testing.T) {
	const keys, maxBytes = 5000, 4 << 10
	s := New(10)
	startKeys(s)
	for i := range keys {
		must(t, s, Command{Op: OpSet, Path: fmt.Sprintf("/d/%d/k%d", i%7, i), Value: "value"})
	}
	w := watchKeys(t, s, KeyRange{}, 0)
	must(t, s, Command{Op: OpDelete, Path: "/d", Recursive: true})
	must(t, s, Command{Op: OpSet, Path: "/after"})
	removal := s.View().Revision() - 1
	var deleted []string
	for partial := true; partial; {
		events, b := pollKeys(t, w, maxBytes)
		if len(events) > maxBytes/keyEventBytes+1 {
			t.Fatalf("%d events at once", len(events))
		}
		if partial = b.Partial; partial && b.Revision != removal-1 {
			t.Fatalf("the progress is %d within revision %d", b.Revision, removal)
		}
		for _, e := range b.Events {
			deleted = append(deleted, e.Node.Path())
		}
	}
	if n := len(deleted); n != keys+1 || !slices.IsSorted(deleted[:keys]) || deleted[keys] != "/after" {
		t.Errorf("%d events, sorted %v", n, slices.IsSorted(deleted[:keys]))
	}
}

func TestKeyWatchBeforeTheFirstCommandOfV3(t *testing.T) {
	s := New(10)
	must(t, s, Command{Op: OpSet, Path: "/d/k"})
	must(t, s, Command{Op: OpDelete, Path: "/d", Recursive: true})
	revision := s.View().Revision()
	t.Run("a removed directory that was not kept can't be read", func(t *testing.T) {
		if _, err := s.WatchKeys(KeyRange{}, revision); err == nil || err.Code != CodeCompacted || err.Revision != revision+1 {
			t.Errorf("got %v", err)
		}
		if _, err := s.At(revision - 1); err == nil || err.Code != CodeCompacted || err.Revision != revision {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a removed directory is kept for an open watcher", func(t *testing.T) {
		w := watchKeys(t, s, KeyRange{}, 0)
		must(t, s, Command{Op: OpSet, Path: "/d/k"})
		must(t, s, Command{Op: OpDelete, Path: "/d", Recursive: true})
		want := []string{fmt.Sprint(revision+1, " put /d/k"), fmt.Sprint(revision+2, " delete /d/k")}
		if events, _ := pollKeys(t, w, 1<<20); !slices.Equal(events, want) {
			t.Errorf("got %v, want %v", events, want)
		}
	})
}

// TestV3OnlyKeysAreSilent changes keys that v2 does not show. Watchers of v2 must get nothing of them.
func TestV3OnlyKeysAreSilent(t *testing.T) {
	s := New(10)
	startKeys(s)
	must(t, s, Command{Op: OpSet, Path: "/d/k"})
	w := watch(t, s, "/", Recursive, 0)
	putForTest(s, "plain", "1")
	putForTest(s, "/d", "shadowed")
	deleteForTest(s, "/d")
	deleteForTest(s, "plain")
	s.Announce()
	wantNoEvent(t, w)
	putForTest(s, "/d/k", "2")
	s.Announce()
	if e := wantEvent(t, w, s.View().Index()); e.Action() != ActionUpdate {
		t.Errorf("got %s", e.Action())
	}
}

func TestKeyWatchersAreWokenByTheirRanges(t *testing.T) {
	s := New(10)
	startKeys(s)
	woken := map[string]int{}
	for name, r := range map[string]KeyRange{
		"key": SingleKey("/a/k"), "other key": SingleKey("/a/j"),
		"prefix": {From: "/a/", To: "/a0"}, "longer prefix": {From: "/a/kk", To: "/a/kl"},
		"all": {}, "from": {From: "/a/k"}, "before": {From: "/a", To: "/a/k"},
	} {
		w := watchKeys(t, s, r, 0)
		pollKeys(t, w, 1)
		w.Notify(func() { woken[name]++ })
	}
	check := func(names ...string) {
		t.Helper()
		if len(woken) != len(names) {
			t.Errorf("woken: %v, want %v", woken, names)
		}
		for _, name := range names {
			if woken[name] != 1 {
				t.Errorf("%s was woken %d times", name, woken[name])
			}
		}
	}
	for range 2 {
		must(t, s, Command{Op: OpSet, Path: "/a/k"})
	}
	check("key", "prefix", "all", "from")
	must(t, s, Command{Op: OpDelete, Path: "/a", Recursive: true})
	check("key", "other key", "prefix", "longer prefix", "all", "from", "before")
}

func TestMergeInto(t *testing.T) {
	s := New(10)
	startKeys(s)
	must(t, s, Command{Op: OpSet, Path: "/a"}) // revision 2
	for _, tc := range []struct {
		name         string
		keys         string
		start, other uint64
		change       string // a key that is changed before
		want         bool
	}{
		{"watchers that wait for the next change", "/a", 0, 0, "", true},
		{"other keys", "/b", 0, 0, "", false},
		{"a later start", "/a", 100, 0, "", false},
		{"a later start of the other", "/a", 0, 100, "", false},
		{"an event to return", "/a", 2, 0, "", false},
		{"an event of both", "/a", 0, 0, "/a", false},
		{"an event of other keys", "/a", 0, 0, "/c", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			other := watchKeys(t, s, SingleKey("/a"), tc.other)
			if tc.change != "" {
				must(t, s, Command{Op: OpSet, Path: tc.change})
			}
			w := watchKeys(t, s, SingleKey(tc.keys), tc.start)
			if got := w.MergeInto(other); got != tc.want {
				t.Errorf("merged: %v", got)
			}
		})
	}
	t.Run("after an event that is not announced", func(t *testing.T) {
		other := watchKeys(t, s, SingleKey("/a"), 0)
		s.Apply(1, []Command{{Op: OpSet, Path: "/a"}})
		w := watchKeys(t, s, SingleKey("/a"), 0)
		if w.MergeInto(other) {
			t.Error("merged, but only one has returned the event")
		}
		s.Announce()
		if events, _ := pollKeys(t, w, 1); len(events) != 0 {
			t.Errorf("got %v", events)
		}
		if events, _ := pollKeys(t, other, 1); len(events) != 1 || !w.MergeInto(other) {
			t.Errorf("got %v", events)
		}
	})
}
