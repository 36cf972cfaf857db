package tree

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// newMirror returns a store that follows an etcd at index 10, with a history of the given size. It has the file /a of index 5, and /d,
// a directory of index 6 with the file /d/f of index 7.
func newMirror(t testing.TB, historySize int) *Store {
	t.Helper()
	s := New(historySize)
	s.Follow()
	mirror(t, s, &MirrorChange{After: 1, To: 10, Nodes: []NodeFields{
		{Path: "/a", Value: "v", Created: 5, Modified: 5},
		{Path: "/d", Dir: true, Created: 6, Modified: 6},
		{Path: "/d/f", Value: "v", Created: 7, Modified: 7},
	}})
	return s
}

// mirror applies a change, which must succeed.
func mirror(t testing.TB, s *Store, c *MirrorChange) {
	t.Helper()
	must(t, s, Command{Op: OpMirror, Mirror: c})
}

// setEvent returns an event that sets a file.
func setEvent(path string, index uint64) EventFields {
	return EventFields{Action: ActionSet, Node: NodeFields{Path: path, Value: "v", Created: index, Modified: index}}
}

// TestMirrorWatchers follows what watchers get while a tree follows an etcd.
func TestMirrorWatchers(t *testing.T) {
	s := newMirror(t, 100)
	future := watch(t, s, "/a", Exact, 2000)
	live := watch(t, s, "/", Recursive, 0)
	below := watch(t, s, "/d/f", Exact, 0)
	mirror(t, s, &MirrorChange{After: 10, To: 13, Events: []EventFields{
		setEvent("/a", 12),
		{
			Action: ActionDelete, Node: NodeFields{Path: "/d", Dir: true, Created: 6, Modified: 13},
			Prev: &NodeFields{Path: "/d", Dir: true, Created: 6, Modified: 6},
		},
	}})
	wantEvent(t, live, 12)
	wantEvent(t, live, 13)
	wantEvent(t, below, 13)

	t.Run("lost events", func(t *testing.T) {
		pending := watch(t, s, "/", Recursive, 0)
		mirror(t, s, &MirrorChange{After: 13, To: 14, Events: []EventFields{setEvent("/a", 14)}})
		mirror(t, s, &MirrorChange{After: 14, To: 1500, Reset: true})
		wantEvent(t, pending, 14)
		for name, w := range map[string]*Watcher{"live": live, "with an event": pending, "of another key": below} {
			_, err := w.Poll()
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeHistoryCleared || e.Index != 1500 {
				t.Errorf("%s: %v", name, err)
			}
		}
		wantNoEvent(t, future)
		if _, err := s.Watch("/a", Exact, 1500); err == nil {
			t.Error("event 1500 is in the history")
		}
	})
	next := watch(t, s, "/a", Exact, 1501)
	t.Run("the end", func(t *testing.T) {
		mirror(t, s, &MirrorChange{After: 1500, To: 1501, Events: []EventFields{setEvent("/b", 1501)}, Phase: PhaseFenced})
		mirror(t, s, &MirrorChange{After: 1501, To: 2501, Phase: PhaseEnded})
		old := watch(t, s, "/b", Exact, 1501)
		wantEvent(t, old, 1501)
		wantNoEvent(t, next)
		skipped := watch(t, s, "/a", Exact, 2000)
		wantNoEvent(t, skipped)
		must(t, s, Command{Op: OpSet, Path: "/a"})
		for _, w := range []*Watcher{future, next, skipped} {
			wantEvent(t, w, 2502)
		}
		if n := s.View().Index() + 1 - s.View().OldestEvent(); n <= 1000 || s.View().Events() != 2 {
			t.Errorf("%d indexes, %d events", n, s.View().Events())
		}
	})
}

// TestMirrorEnd ends a mirror with an index that is skipped, and fills the history.
func TestMirrorEnd(t *testing.T) {
	s := newMirror(t, 10)
	mirror(t, s, &MirrorChange{After: 10, To: 12, Events: []EventFields{setEvent("/a", 12)}, Phase: PhaseFenced})
	mirror(t, s, &MirrorChange{After: 12, To: 1012, Phase: PhaseEnded})
	for i := range uint64(30) {
		must(t, s, Command{Op: OpSet, Path: "/b"})
		if got, want := s.View().Events(), min(11+i+1, 10); got != want {
			t.Fatalf("%d events after %d commands", got, i+1)
		}
		w := watch(t, s, "/", Recursive, s.View().OldestEvent())
		for last := uint64(0); ; {
			e, err := w.Poll()
			if err != nil {
				t.Fatalf("after %d commands: %v", i+1, err)
			}
			if e == nil {
				if last != s.View().Index() {
					t.Fatalf("the last event is %d at %d", last, s.View().Index())
				}
				break
			}
			last = e.Index()
		}
		w.Close()
	}
}

// refusedChange is a change of a mirror that a tree at index 10 refuses.
type refusedChange struct {
	change *MirrorChange
	want   Code
}

func refusedChanges() map[string]refusedChange {
	key := NodeFields{Path: "/k", Created: 11, Modified: 11}
	with := func(change func(f *NodeFields)) NodeFields {
		f := key
		change(&f)
		return f
	}
	node := func(f NodeFields) *MirrorChange { return &MirrorChange{After: 10, To: 11, Nodes: []NodeFields{f}} }
	events := func(e ...EventFields) *MirrorChange { return &MirrorChange{After: 10, To: 12, Events: e} }
	event := func(change func(e *EventFields)) *MirrorChange {
		e := setEvent("/k", 11)
		change(&e)
		return events(e)
	}
	return map[string]refusedChange{
		"an old index":         {&MirrorChange{After: 9, To: 12}, CodeMirrorIndex},
		"an index to come":     {&MirrorChange{After: 11, To: 12}, CodeMirrorIndex},
		"backwards":            {&MirrorChange{After: 10, To: 9}, CodeInvalidField},
		"an index too large":   {&MirrorChange{After: 10, To: maxSourceIndex + 1}, CodeInvalidField},
		"a node's, too":        {node(with(func(f *NodeFields) { f.Modified = maxSourceIndex + 1 })), CodeInvalidField},
		"an unknown phase":     {&MirrorChange{After: 10, To: 10, Phase: PhaseEnded + 1}, CodeInvalidField},
		"the end without":      {&MirrorChange{After: 10, To: 10, Phase: PhaseEnded}, CodeInvalidField},
		"an empty source":      {&MirrorChange{After: 10, To: 10, Sources: []string{""}}, CodeInvalidField},
		"removed root":         {&MirrorChange{After: 10, To: 10, Removed: []string{"/a", "/"}}, CodeInvalidField},
		"removed, not clean":   {&MirrorChange{After: 10, To: 10, Removed: []string{"/a/"}}, CodeInvalidField},
		"a node without slash": {node(with(func(f *NodeFields) { f.Path = "k" })), CodeInvalidField},
		"the root as a node":   {node(with(func(f *NodeFields) { f.Path, f.Dir = "/", true })), CodeInvalidField},
		"created later":        {node(with(func(f *NodeFields) { f.Created = 12 })), CodeInvalidField},
		"never created":        {node(with(func(f *NodeFields) { f.Created = 0 })), CodeInvalidField},
		"a directory's value":  {node(with(func(f *NodeFields) { f.Dir, f.Value = true, "x" })), CodeInvalidField},
		"two events of one index": {
			events(setEvent("/k", 11), setEvent("/l", 11)), CodeInvalidField},
		"events out of order":  {events(setEvent("/k", 12), setEvent("/l", 11)), CodeInvalidField},
		"an event too early":   {events(setEvent("/k", 10)), CodeInvalidField},
		"an event too late":    {events(setEvent("/k", 13)), CodeInvalidField},
		"an event of users":    {event(func(e *EventFields) { e.Action = ActionAuth }), CodeInvalidField},
		"an unknown action":    {event(func(e *EventFields) { e.Action = 0 }), CodeInvalidField},
		"a refresh":            {event(func(e *EventFields) { e.Refresh = true }), CodeInvalidField},
		"another node before":  {event(func(e *EventFields) { e.Prev = &NodeFields{Path: "/l"} }), CodeInvalidField},
		"a removal with value": {event(func(e *EventFields) { e.Action = ActionExpire }), CodeInvalidField},
	}
}

// TestMirrorRefused checks that invalid changes change nothing.
func TestMirrorRefused(t *testing.T) {
	s := newMirror(t, 10)
	before := string(stateBytes(s))
	for name, test := range refusedChanges() {
		t.Run(name, func(t *testing.T) {
			c := decoded(t, Command{Op: OpMirror, Mirror: test.change})
			err := mustFail(t, s, c)
			if err.Code != test.want || err.Cause == "" || err.Index != 10 {
				t.Errorf("got %v", err)
			}
			if err := test.change.check(); (err != nil) != (test.want == CodeInvalidField && !strings.Contains(name, "the end")) {
				t.Errorf("check: %v", err)
			}
			if after := string(stateBytes(s)); after != before {
				t.Errorf("before %q\nafter %q", before, after)
			}
		})
	}
	t.Run("the end with newer nodes", func(t *testing.T) {
		mirror(t, s, &MirrorChange{After: 10, To: 10, Nodes: []NodeFields{{Path: "/n", Created: 15, Modified: 20}}, Phase: PhaseFenced})
		early := Command{Op: OpMirror, Mirror: &MirrorChange{After: 10, To: 19, Phase: PhaseEnded}}
		if err := mustFail(t, s, early); err.Code != CodeInvalidField {
			t.Error(err)
		}
		mirror(t, s, &MirrorChange{After: 10, To: 20, Phase: PhaseEnded})
	})
	t.Run("a tree that does not follow", func(t *testing.T) {
		for _, s := range []*Store{s, New(10)} {
			c := &MirrorChange{After: s.View().Index(), To: s.View().Index()}
			if err := mustFail(t, s, Command{Op: OpMirror, Mirror: c}); err.Code != CodeNotFollowing {
				t.Error(err)
			}
		}
	})
}

// TestMirrorSettings changes what the tree holds about the source.
func TestMirrorSettings(t *testing.T) {
	s := newMirror(t, 10)
	first := s.View().Mirror()
	sources := []string{"http://a:2379", "http://b:2379"}
	mirror(t, s, &MirrorChange{After: 10, To: 10, Sources: sources, ForwardWrites: new(true)})
	sources[0] = "changed"
	mirror(t, s, &MirrorChange{After: 10, To: 11})
	mirror(t, s, &MirrorChange{After: 11, To: 11, Phase: PhaseFenced})
	want := Mirror{Phase: PhaseFenced, Sources: []string{"http://a:2379", "http://b:2379"}, ForwardWrites: true}
	if got := s.View().Mirror(); !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v", got)
	}
	if !reflect.DeepEqual(*first, Mirror{Phase: PhaseFollowing}) {
		t.Errorf("an older view has changed: %+v", first)
	}
	mirror(t, s, &MirrorChange{After: 11, To: 11, Phase: PhaseFollowing, Sources: []string{}, ForwardWrites: new(false)})
	if got := s.View().Mirror(); !reflect.DeepEqual(*got, Mirror{Phase: PhaseFollowing, Sources: []string{}}) {
		t.Errorf("got %+v", got)
	}
}

// TestMirrorLargeGap brings a tree over many indexes without an event. The history then holds nothing that watchers can read.
func TestMirrorLargeGap(t *testing.T) {
	s := newMirror(t, 100)
	live := watch(t, s, "/", Recursive, 0)
	start := time.Now()
	mirror(t, s, &MirrorChange{After: 10, To: maxSourceIndex, Events: []EventFields{setEvent("/a", maxSourceIndex)}})
	if took := time.Since(start); took > timeout {
		t.Errorf("it took %s", took)
	}
	wantEvent(t, live, maxSourceIndex)
	if got := s.View().OldestEvent(); got != maxSourceIndex-99 {
		t.Errorf("the oldest event is %d", got)
	}
}

// TestMirrorStaleRead stores what two processes have read, the older read last.
func TestMirrorStaleRead(t *testing.T) {
	s := newMirror(t, 100)
	at := s.View().Index()
	read := func(modified uint64, value string) {
		t.Helper()
		mirror(t, s, &MirrorChange{After: at, To: at, Nodes: []NodeFields{
			{Path: "/stale", Value: value, Created: 1, Modified: modified, Expires: 1e18 + int64(modified)},
		}})
	}
	read(at-2, "refreshed once")
	read(at-1, "refreshed twice")
	read(at-2, "refreshed once")
	if n, _ := find(s.root, "/stale"); n == nil || n.Value() != "refreshed twice" {
		t.Errorf("got %v", n)
	}
}
