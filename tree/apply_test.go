package tree

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestApplyMatchesModel applies random batches to a Store and to the model, and compares
// results, events, tree, counters and history.
func TestApplyMatchesModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{1, 3, 10, 1000}).Draw(t, "history")
		s, m := New(size), newModel(size)
		now := 100 * second
		batches := rapid.IntRange(1, 40).Draw(t, "batches")
		start := rapid.IntRange(0, batches).Draw(t, "start of revisions")
		for i := range batches {
			if i == start {
				s.StartRevisions()
				m.numbers.start()
			}
			now = genNow(t, now)
			commands := genBatch(t, m, now, 5)
			results := s.Apply(now, commands)
			s.Announce()
			compareResults(t, m, now, commands, results)
			compareView(t, m, s.View())
			compareTotals(t, m, s)
			compareHistory(t, m, s)
		}
	})
}

func compareResults(t *rapid.T, m *model, now int64, commands []Command, results []Result) {
	if len(results) != len(commands) {
		t.Fatalf("%d results for %d commands", len(results), len(commands))
	}
	for i, c := range commands {
		wantEvent, wantErr := m.do(now, c)
		got := results[i]
		if (got.Txn != nil) != (c.Op == OpTxn && wantErr == nil) {
			t.Fatalf("%+v: the result of a transaction: %+v", c, got.Txn)
		}
		if got.Txn != nil {
			compareTxn(t, m, m.txn, got.Txn)
		}
		switch {
		case wantErr != nil:
			if got.Event != nil || got.Err == nil || *got.Err != *wantErr {
				t.Fatalf("%+v: got %v, %v; want %v", c, got.Event, got.Err, wantErr)
			}
		case got.Err != nil:
			t.Fatalf("%+v: %v; want %+v", c, got.Err, wantEvent)
		case wantEvent == nil:
			if got.Event != nil {
				t.Fatalf("%+v: got an event", c)
			}
		default:
			compareEvent(t, m, wantEvent, got.Event)
		}
	}
}

func compareEvent(t *rapid.T, m *model, want *modelEvent, got *Event) {
	if got == nil {
		t.Fatalf("no event, want %+v", want)
	}
	if got.Index() != want.node.modified || got.Action().String() != want.action ||
		got.refresh != want.refresh || got.time != want.time {
		t.Fatalf("got %d %v refresh %v at %d, want %+v", got.Index(), got.Action(), got.refresh, got.time, want)
	}
	compareNumbers(t, m, got.Node())
	if n := asModel(got.Node()); n != want.node {
		t.Fatalf("node\ngot  %+v\nwant %+v", n, want.node)
	}
	if got.Node().Len() != 0 {
		t.Fatalf("the event's node has %d children", got.Node().Len())
	}
	if created := want.prev == nil && want.action != "auth"; got.Created() != created {
		t.Fatalf("created %v, want %v", got.Created(), created)
	}
	compareNumbers(t, m, got.prev)
	switch {
	case want.prev == nil && got.prev == nil:
	case want.prev == nil || got.prev == nil:
		t.Fatalf("previous node %v, want %v", got.prev, want.prev)
	case asModel(got.prev) != *want.prev || got.prev.Len() != 0:
		t.Fatalf("previous node\ngot  %+v\nwant %+v", asModel(got.prev), *want.prev)
	}
}

// asModel returns a node in the form of the model.
func asModel(n *Node) modelNode {
	return modelNode{
		path: n.Path(), value: n.Value(), dir: n.IsDir(),
		created: n.CreatedIndex(), modified: n.ModifiedIndex(), version: n.storedVersion(), expires: n.Expires(),
	}
}

func compareView(t *rapid.T, m *model, v *View) {
	if v.Revision() != m.numbers.last {
		t.Fatalf("the revision is %d, want %d", v.Revision(), m.numbers.last)
	}
	got := map[string]modelNode{}
	walk(v.root, func(n *Node) { got[n.Path()] = asModel(n) })
	if !maps.Equal(got, m.nodes) {
		t.Fatalf("tree\ngot  %+v\nwant %+v", got, m.nodes)
	}
	var size, due int64
	for path, n := range m.nodes {
		if path != "/" {
			size += int64(len(path) + len(n.value))
		}
		if n.expires != 0 && (due == 0 || n.expires < due) {
			due = n.expires
		}
		compareNumbers(t, m, v.Lookup(path))
		if l := v.Lookup(path); l == nil || asModel(l) != n {
			t.Fatalf("lookup of %s returns %v, want %+v", path, l, n)
		}
	}
	if v.Index() != m.index || v.Nodes() != int64(len(m.nodes)-1) || v.Bytes() != size || v.NextExpiry() != due {
		t.Fatalf("got index %d, %d nodes, %d bytes, due %d; want %d, %d, %d, %d",
			v.Index(), v.Nodes(), v.Bytes(), v.NextExpiry(), m.index, len(m.nodes)-1, size, due)
	}
	if got, want := usersBytes(v.Users()), usersBytes(m.users); !bytes.Equal(got, want) {
		t.Fatalf("users\ngot  %q\nwant %q", got, want)
	}
	if v.Counters() != m.counters() {
		t.Fatalf("counters\ngot  %+v\nwant %+v", v.Counters(), m.counters())
	}
	want := `{"action":"get","node":` + m.listing("/") + "}\n"
	if got := string(EncodeGet(v.root, 0, Deep).Append(nil)); got != want {
		t.Fatalf("listing\ngot  %s\nwant %s", got, want)
	}
}

func compareHistory(t *rapid.T, m *model, s *Store) {
	v := s.View()
	if v.OldestEvent() != m.oldest() {
		t.Fatalf("oldest event %d, want %d", v.OldestEvent(), m.oldest())
	}
	for i := m.oldest(); i <= m.index; i++ {
		compareEvent(t, m, &m.events[i-2], s.history.at(i))
	}
	if s.history.at(m.oldest()-1) != nil || s.history.at(m.index+1) != nil {
		t.Fatal("the history holds an event before the oldest or after the newest")
	}
}

// listing returns the JSON of a deep read at time zero.
func (m *model) listing(path string) string { return m.listingAt(0, path) }

// listingAt returns the JSON of a deep read.
func (m *model) listingAt(now int64, path string) string {
	n := m.nodes[path]
	var fields []string
	if path != "/" {
		fields = append(fields, `"key":`+referenceString(path))
	}
	if n.dir {
		fields = append(fields, `"dir":true`)
	} else {
		fields = append(fields, `"value":`+referenceString(n.value))
	}
	if n.expires != 0 {
		fields = append(fields, fmt.Sprintf(`"expiration":%q`, referenceTime(n.expires)))
		if ttl := SecondsLeft(n.expires, now); ttl != 0 {
			fields = append(fields, fmt.Sprintf(`"ttl":%d`, ttl))
		}
	}
	if children := m.shown(now, path); len(children) > 0 {
		fields = append(fields, `"nodes":[`+strings.Join(children, ",")+"]")
	}
	if path != "/" {
		fields = append(fields, fmt.Sprintf(`"modifiedIndex":%d,"createdIndex":%d`, n.modified, n.created))
	}
	return "{" + strings.Join(fields, ",") + "}"
}

// shown returns the JSON of the children of a directory that are not hidden.
func (m *model) shown(now int64, dir string) []string {
	var names []string
	prefix := strings.TrimSuffix(dir, "/") + "/"
	for _, path := range m.below(dir) {
		if name := strings.TrimPrefix(path, prefix); !strings.Contains(name, "/") && !strings.HasPrefix(name, "_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var children []string
	for _, name := range names {
		children = append(children, m.listingAt(now, prefix+name))
	}
	return children
}
