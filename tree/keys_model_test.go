package tree

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// modelKeys is what the model holds beside the nodes that v2 shows.
type modelKeys struct {
	shadowed, plain map[string]modelNode // by their keys
	implied         map[string]bool      // the paths of implied directories
}

func newModelKeys() modelKeys {
	return modelKeys{shadowed: map[string]modelNode{}, plain: map[string]modelNode{}, implied: map[string]bool{}}
}

// putKey is Store.putKey in the model. It makes the event, too.
func (m *model) putKey(now int64, key, value string, expires int64) {
	n := modelNode{path: key, value: value, created: m.index + 1, modified: m.index + 1, expires: expires}
	if prev, ok := m.key(key); ok {
		n.created = prev.created
	}
	if !isPathKey(key) {
		m.plain[key] = n
		m.recordKey(now, n)
		return
	}
	for i := 1; i < len(key); i++ {
		if key[i] != '/' || m.nodes[key[:i]].dir {
			continue
		}
		if file, ok := m.nodes[key[:i]]; ok {
			m.shadowed[key[:i]] = file
		}
		m.nodes[key[:i]] = modelNode{path: key[:i], dir: true, created: m.index + 1, modified: m.index + 1}
		m.implied[key[:i]] = true
	}
	if m.nodes[key].dir {
		m.shadowed[key] = n
	} else {
		m.nodes[key] = n
	}
	m.recordKey(now, n)
}

// deleteKey is Store.deleteKey in the model. It returns the removed file, or one without a path.
func (m *model) deleteKey(key string) (n modelNode) {
	n, ok := m.key(key)
	switch {
	case !ok:
		return modelNode{}
	case !isPathKey(key):
		delete(m.plain, key)
	case m.nodes[key].dir:
		delete(m.shadowed, key)
	default:
		m.removeNode(key)
	}
	return n
}

func (m *model) recordKey(now int64, n modelNode) {
	m.record(now, &modelEvent{action: "set", node: n})
}

// key returns the file of a key.
func (m *model) key(key string) (n modelNode, ok bool) {
	if n, ok = m.plain[key]; ok {
		return n, true
	}
	if n, ok = m.shadowed[key]; ok {
		return n, true
	}
	n, ok = m.nodes[key]
	return n, ok && !n.dir
}

// keys returns all keys in order.
func (m *model) keys() []string {
	all := slices.Concat(slices.Collect(maps.Keys(m.plain)), slices.Collect(maps.Keys(m.shadowed)))
	for path, n := range m.nodes {
		if !n.dir {
			all = append(all, path)
		}
	}
	slices.Sort(all)
	return all
}

// edgeKeys are keys that are paths, that are nearly paths, and that are prefixes of each other.
var edgeKeys = []string{
	"/", "/a", "/a/", "/a/b", "/a-b", "/a.b/c", "/a.b", "//", "a", "\x00", "\xff", "/a\x00", "/a//b", "/a/./b", "/a/..", "/a/b/c", "/a/b-c",
	"/a/b-c/d", "/a/b/c/d", "/a0", "/a0/b", "/b", "/_h/x", "/a-b/a", "/a-b.a/b", "/\xff/\x00", "/ /a", "/a /b", "/a\x00/b", ".", "..", "a/b",
}

// keyChange is a command of v2, or a change of a key.
type keyChange struct {
	command *Command // nil for a change of a key
	key     string
	put     bool
	value   string
	expires int64
}

func genKeyChange(t *rapid.T, m *model, now int64) keyChange {
	if rapid.IntRange(0, 2).Draw(t, "v2") == 0 {
		c := genKeyCommand(t, m, now)
		if rapid.IntRange(0, 3).Draw(t, "edge") == 0 {
			c.Path = rapid.SampledFrom(slices.DeleteFunc(slices.Clone(edgeKeys), func(k string) bool { return !ValidPath(k) })).Draw(t, "path")
		}
		return keyChange{command: &c}
	}
	c := keyChange{put: rapid.IntRange(0, 2).Draw(t, "put") > 0, value: rapid.SampledFrom(genValues).Draw(t, "value")}
	if c.key = rapid.SampledFrom(edgeKeys).Draw(t, "key"); rapid.IntRange(0, 2).Draw(t, "any") == 0 {
		c.key = genPath(t, m)
	}
	if rapid.IntRange(0, 5).Draw(t, "ttl") == 0 {
		c.expires = now + rapid.Int64Range(0, 20).Draw(t, "left")*second
	}
	return c
}

// applyTo makes the change in a store whose batch has begun.
func (c *keyChange) applyTo(s *Store) {
	switch {
	case c.command != nil:
		r := s.apply(c.command)
		s.counters.count(c.command.Op, r.Err)
	case c.put:
		s.putTestKey(newFile(c.key, c.value, c.expires, 0))
	default:
		if n := s.deleteKey(c.key); n != nil {
			s.countRevision()
			s.emitSilent()
		}
	}
}

// putTestKey sets the numbers of a file and stores it, with a silent event.
func (s *Store) putTestKey(n *Node) {
	v := View{root: s.root, plain: s.plain}
	if prev := v.Key(n.Path()); prev != nil {
		n.setNumbers(s.nextNumbers(prev))
	} else {
		n.setNumbers(s.newNumbers(s.index + 1))
	}
	s.putKey(n)
	s.countRevision()
	s.emitSilent()
}

func (c *keyChange) applyToModel(now int64, m *model) {
	switch {
	case c.command != nil:
		_, _ = m.do(now, *c.command)
	case c.put:
		m.putKey(now, c.key, c.value, c.expires)
	default:
		if n := m.deleteKey(c.key); n.path != "" {
			m.recordKey(now, n)
		}
	}
}

// beginBatch begins a batch, as Apply does. publish ends it.
func (s *Store) beginBatch(now int64) {
	s.epoch++
	s.now = now
}

// TestKeys changes keys and v2 nodes at random, and compares the keys of every view and the nodes that v2 shows with a model. It stores
// deltas, and goes on with the store that is loaded from them. Some changes are rolled back.
func TestKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, m, disk := New(10), newModel(10), newCheckpoint()
		s.StartRevisions()
		now := 100 * second
		for range rapid.IntRange(1, 20).Draw(t, "batches") {
			now = genNow(t, now)
			s.beginBatch(now)
			for range rapid.IntRange(1, 6).Draw(t, "changes") {
				c := genKeyChange(t, m, now)
				if rapid.IntRange(0, 4).Draw(t, "rollBack") == 0 {
					rollBackChange(t, s, &c)
				}
				c.applyTo(s)
				c.applyToModel(now, m)
			}
			s.publish()
			s.Announce()
			compareKeys(t, m, s.View())
			compareTotals(t, m, s)
			compareWalk(t, m, s.View())
			if rapid.IntRange(0, 2).Draw(t, "checkpoint") == 0 {
				s = throughDisk(t, s, disk, rapid.Bool().Draw(t, "all"))
			}
		}
	})
}

// rollBackChange makes a change in an unpublished batch and rolls it back. Nothing may be left of it.
func rollBackChange(t *rapid.T, s *Store, c *keyChange) {
	pending := func() []byte {
		v := View{root: s.root, plain: s.plain}
		return appendTree(fmt.Appendf(nil, "%d %v %d", s.index, s.dirty, len(s.batch)), &v)
	}
	was := pending()
	before := s.savepoint()
	s.inTxn = true
	s.epoch++
	c.applyTo(s)
	s.rollBack(&before)
	s.inTxn = false
	if is := pending(); !bytes.Equal(was, is) {
		t.Fatalf("after a rollback of %+v\n%q\nbefore\n%q", c, is, was)
	}
}

// throughDisk stores the changes of s, and returns the store that is loaded from all that is stored. It must have the state of s.
func throughDisk(t *rapid.T, s *Store, disk *checkpoint, all bool) *Store {
	if all {
		*disk = *newCheckpoint()
		disk.writeAll(s.TakeAll())
	} else {
		disk.write(s.TakeDelta())
	}
	loaded, err := disk.load(10)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := stateBytes(s), stateBytes(loaded); !bytes.Equal(a, b) {
		t.Fatalf("stored %q\nloaded %q", a, b)
	}
	return loaded
}

// compareWalk compares the nodes that v2 shows.
func compareWalk(t *rapid.T, m *model, v *View) {
	want := m.below("/")
	slices.SortFunc(want, comparePaths)
	for n := range v.Walk() {
		if len(want) == 0 || n.Path() != want[0] {
			t.Fatalf("v2 shows %q, want %q", n.Path(), want)
		}
		w := m.nodes[want[0]]
		if n.IsDir() != w.dir || n.Value() != w.value || n.isImplied() != m.implied[w.path] ||
			n.CreatedIndex() != w.created || n.ModifiedIndex() != w.modified || n.Expires() != w.expires {
			t.Fatalf("v2 shows %q as %+v, want %+v", n.Path(), n.Fields(), w)
		}
		want = want[1:]
		if n.IsDir() {
			compareBelow(t, m, n)
		}
	}
	if len(want) > 0 {
		t.Fatalf("v2 does not show %q", want)
	}
}

// compareBelow compares the files below a directory, which are those that go with it.
func compareBelow(t *rapid.T, m *model, dir *Node) {
	want := slices.DeleteFunc(m.keys(), func(key string) bool { return !isPathKey(key) || !below(key, dir.Path()) })
	var got []string
	for n := range filesBelow(dir) {
		got = append(got, n.Path())
	}
	if !slices.Equal(got, want) {
		t.Fatalf("below %s there are the keys %q, want %q", dir.Path(), got, want)
	}
}

// compareKeys compares the keys of a view in many ranges.
func compareKeys(t *rapid.T, m *model, v *View) {
	keys := m.keys()
	for _, key := range slices.Concat(keys, edgeKeys) {
		n := v.Key(key)
		if want, ok := m.key(key); ok != (n != nil) || ok && (n.Value() != want.value || n.ModifiedIndex() != want.modified) {
			t.Fatalf("the key %q has the file %v, want %+v", key, n, want)
		}
	}
	bounds := slices.Concat(keys, edgeKeys, []string{"", "/a/b-", "/a/b/", "/a/b0", "/a-", "0", "/a/b-c/", "/_h/", "/a/b/\xff"})
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	for range 12 {
		r := KeyRange{From: rapid.SampledFrom(bounds).Draw(t, "from"), To: rapid.SampledFrom(bounds).Draw(t, "to")}
		compareRange(t, keys, v, r)
	}
	for _, b := range bounds {
		compareRange(t, keys, v, KeyRange{From: b})
		compareRange(t, keys, v, KeyRange{To: b})
		compareRange(t, keys, v, SingleKey(b))
	}
}

func compareRange(t *rapid.T, keys []string, v *View, r KeyRange) {
	var want, got []string
	for _, key := range keys {
		if key >= r.From && (r.To == "" || key < r.To) {
			want = append(want, key)
		}
	}
	for n := range v.Keys(r) {
		got = append(got, n.Path())
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the keys of %q are %q\nwant %q", r, got, want)
	}
	var descending []string
	for n := range v.KeysDescending(r) {
		descending = append(descending, n.Path())
	}
	if slices.Reverse(descending); !slices.Equal(descending, want) {
		t.Fatalf("range %q, descending: got %q, want %q", r, descending, want)
	}
	if count := v.CountKeys(r); count != int64(len(want)) {
		t.Fatalf("the range %q has %d keys, want %d: %q", r, count, len(want), want)
	}
	if len(want) > 1 {
		got = got[:0]
		for n := range v.Keys(r) {
			if got = append(got, n.Path()); len(got) == len(want)/2 {
				break
			}
		}
		if !slices.Equal(got, want[:len(want)/2]) {
			t.Fatalf("a stopped walk of %q has %q", r, got)
		}
	}
}
