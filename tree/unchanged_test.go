package tree

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// subtree returns all that a response about n could show, the expiry included.
func subtree(n *Node) string {
	var b strings.Builder
	walk(n, func(n *Node) {
		b.WriteString(n.Path())
		b.Write(AppendNode(nil, n))
	})
	return b.String()
}

// TestUnchangedSince applies random batches, and sometimes loads the tree from a checkpoint. UnchangedSince of a directory must be the
// index of the last event at or below it, or that of the checkpoint. So nothing below it may differ between an earlier view from this
// index on and the current view.
func TestUnchangedSince(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, m := New(10), newModel(10)
		now, loaded := 100*second, uint64(firstIndex)
		var views []*View
		for range rapid.IntRange(1, 12).Draw(t, "batches") {
			commands := make([]Command, rapid.IntRange(1, 6).Draw(t, "commands"))
			now += second
			for i := range commands {
				commands[i] = genCommand(t, m, now)
				_, _ = m.do(now, commands[i])
			}
			s.Apply(now, commands)
			s.Announce()
			if rapid.IntRange(0, 5).Draw(t, "load") == 0 {
				s = reloaded(t, s)
				loaded = m.index
			}
			views = append(views, s.View())
			checkUnchanged(t, views, m, loaded)
		}
	})
}

// checkUnchanged compares the last view with the events of the model and with the earlier views. loaded is the index of the last
// checkpoint.
func checkUnchanged(t *rapid.T, views []*View, m *model, loaded uint64) {
	v := views[len(views)-1]
	walk(v.root, func(n *Node) {
		since := n.UnchangedSince()
		want := n.ModifiedIndex()
		if n.IsDir() {
			want = max(loaded, m.lastEvent(n.Path()))
		}
		if since != want {
			t.Fatalf("%s is unchanged since %d, want %d", n.Path(), since, want)
		}
		for _, earlier := range views {
			before := earlier.Lookup(n.Path())
			if since <= earlier.Index() && (before == nil || subtree(before) != subtree(n)) {
				t.Fatalf("%s has changed since index %d, and says unchanged since %d", n.Path(), earlier.Index(), since)
			}
		}
	})
}

// lastEvent returns the index of the last event at or below a path, or 0.
func (m *model) lastEvent(path string) (index uint64) {
	for _, e := range m.events {
		if e.action != "auth" && (e.node.path == path || below(e.node.path, path)) {
			index = e.node.modified
		}
	}
	return index
}

// TestSupersededBytes checks that the counter has the bytes of all nodes that a kept view has and the tree no longer has.
func TestSupersededBytes(t *testing.T) {
	s := New(10)
	must(t, s, Command{Op: OpSet, Path: "/d/a", Value: "123"})
	must(t, s, Command{Op: OpSet, Path: "/d/b", Value: "1234"})
	if got := s.SupersededBytes(); got != 0 {
		t.Errorf("%d bytes before anything was replaced", got)
	}
	must(t, s, Command{Op: OpSet, Path: "/d/a", Value: ""})
	if got := s.SupersededBytes(); got != 7 {
		t.Errorf("%d bytes after a file of 7 was replaced", got)
	}
	must(t, s, Command{Op: OpDelete, Path: "/d", Recursive: true})
	if got := s.SupersededBytes(); got != 7+2+4+8 {
		t.Errorf("%d bytes after the directory was removed", got)
	}
}

// reloaded returns the store from a checkpoint of s.
func reloaded(t interface{ Fatal(...any) }, s *Store) *Store {
	disk := newCheckpoint()
	disk.write(s.TakeAll())
	for n := range s.View().Walk() {
		disk.nodes[n.Path()] = AppendNode(nil, n)
	}
	loaded, err := disk.load(10)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// TestUnchangedSinceOfAMirror changes nodes without a new index, as a mirror may. Each state of a directory must have another index.
func TestUnchangedSinceOfAMirror(t *testing.T) {
	s := newMirror(t, 100)
	seen := map[uint64]string{}
	for i, c := range []*MirrorChange{
		{After: 10, To: 10, Nodes: []NodeFields{{Path: "/d/f", Value: "v", Created: 7, Modified: 7, Expires: second}}},
		{After: 10, To: 10, Nodes: []NodeFields{{Path: "/d/f", Value: "v", Created: 7, Modified: 7, Expires: 2 * second}}},
		{After: 10, To: 10, Removed: []string{"/d/f"}},
		{After: 10, To: 11, Events: []EventFields{setEvent("/d/f", 11)}},
		{After: 11, To: 12, Nodes: []NodeFields{{Path: "/d", Dir: true, Created: 6, Modified: 6, Expires: second}}},
		{After: 12, To: 12, Nodes: []NodeFields{{Path: "/d", Dir: true, Created: 6, Modified: 6}}},
	} {
		mirror(t, s, c)
		d := s.View().Lookup("/d")
		if before, ok := seen[d.UnchangedSince()]; ok {
			t.Errorf("change %d: two states are unchanged since %d:\n%q\n%q", i, d.UnchangedSince(), before, subtree(d))
		}
		seen[d.UnchangedSince()] = subtree(d)
	}
	before := s.View().Lookup("/d").UnchangedSince()
	mirror(t, s, &MirrorChange{After: 12, To: 13, Events: []EventFields{setEvent("/a", 13)}})
	if after := s.View().Lookup("/d").UnchangedSince(); after != before {
		t.Errorf("a change elsewhere moved the index from %d to %d", before, after)
	}
}
