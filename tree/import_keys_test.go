package tree

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// exportedKeys returns the changes that a store of etcd with the same history holds after a compaction: of the compact revision, and of
// those before it, only the changes whose keys live on.
func exportedKeys(t interface{ Fatal(...any) }, s *Store, compacted uint64) (list []KeyFields) {
	fields := func(n *Node, deleted bool) KeyFields {
		if deleted {
			return KeyFields{Key: n.Path(), ModRevision: n.ModRevision(), Sub: n.Sub(), Deleted: true}
		}
		return KeyFields{
			Key: n.Path(), Value: n.Value(), CreateRevision: n.CreateRevision(), ModRevision: n.ModRevision(), Version: n.Version(),
			Sub: n.Sub(), Lease: n.Lease(),
		}
	}
	if compacted > 0 {
		base, err := s.At(compacted)
		if err != nil {
			t.Fatal(err)
		}
		for n := range base.Keys(KeyRange{}) {
			list = append(list, fields(n, false))
		}
	}
	for i := s.View().OldestEvent(); i <= s.View().Index(); i++ {
		if e := s.history.at(i); e.action != ActionAuth && e.Revision() > compacted {
			k := e.keyEvent()
			list = append(list, fields(k.Node, k.Deleted))
		}
	}
	slices.SortFunc(list, func(a, b KeyFields) int {
		return int(a.ModRevision)*maxSub + int(a.Sub) - int(b.ModRevision)*maxSub - int(b.Sub)
	})
	return list
}

// importKeys imports changes, and the leases of a store.
func importKeys(s *Store, from *View, compacted uint64, list []KeyFields) (detached int, err error) {
	k, err := s.ImportKeys(compacted)
	if err != nil {
		return 0, err
	}
	for l := range from.Leases() {
		if err := k.Lease(l); err != nil {
			return 0, err
		}
	}
	for i := range list {
		if err := k.Add(&list[i]); err != nil {
			return 0, err
		}
	}
	return k.Finish()
}

// TestImportKeys imports random histories, and compares each revision, the watches and the leases with those of the source.
func TestImportKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		run := &kvModelRun{t: t, s: New(1000), m: newKVModel(1), disk: newCheckpoint()}
		run.s.StartRevisions()
		for id := range int64(2) {
			run.apply(Command{Op: OpLeaseGrant, Lease: id + 1, TTL: 9})
			run.m.leases[id+1] = 9
		}
		for range rapid.IntRange(0, 12).Draw(t, "commands") {
			if rapid.IntRange(0, 5).Draw(t, "command") == 0 {
				run.revoke()
				continue
			}
			if txn := genKVTxn(t, run.m, 1); txn.Check(DefaultMaxTxnOps) == nil {
				run.txn(Command{Op: OpKV, KV: txn}, txn)
			}
		}
		source := run.s
		compacted := rapid.Uint64Range(0, source.View().Revision()).Draw(t, "compacted")
		imported := New(10)
		if _, err := importKeys(imported, source.View(), compacted, exportedKeys(t, source, compacted)); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*Store{imported, stored(t, imported)} {
			run.compare(s)
			compareHistories(t, s, source, compacted)
			run.s = s
			run.apply(Command{Op: OpPut, Path: "/after", Value: "v"})
			if got, want := s.View().Revision(), source.View().Revision()+1; got != want {
				t.Fatalf("the next change has the revision %d, want %d", got, want)
			}
		}
	})
}

// stored returns the store that is loaded from a checkpoint of another one.
func stored(t interface{ Fatal(...any) }, s *Store) *Store {
	disk := newCheckpoint()
	disk.writeAll(s.TakeAll())
	loaded, err := disk.load(10)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// compareHistories compares what readers of old revisions, and watchers, see of two stores from a compact revision on.
func compareHistories(t *rapid.T, s, want *Store, compacted uint64) {
	t.Helper()
	if got := s.View().CompactRevision(); got != compacted {
		t.Fatalf("the compact revision is %d, want %d", got, compacted)
	}
	all := KeyRange{}
	for revision := max(compacted, 1); revision <= want.View().Revision(); revision++ {
		got, err := s.At(revision)
		if err != nil {
			t.Fatalf("revision %d: %v", revision, err)
		}
		wanted, _ := want.At(revision)
		if a, b := keyTexts(got), keyTexts(wanted); a != b {
			t.Fatalf("revision %d:\n%s\nwant\n%s", revision, a, b)
		}
	}
	if _, err := s.At(compacted - 1); compacted > 1 && (err == nil || err.Code != CodeCompacted) {
		t.Fatalf("before the compact revision: %v", err)
	}
	for start := max(compacted, 1); start <= want.View().Revision(); start++ {
		events := func(s *Store) (texts []string) {
			w, err := s.WatchKeys(all, start)
			if err != nil {
				t.Fatalf("a watch from %d: %v", start, err)
			}
			defer w.Close()
			b, err := w.Poll(1 << 20)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range b.Events {
				if e.Revision() > compacted {
					texts = append(texts, e.text())
				}
			}
			return texts
		}
		if got, wanted := events(s), events(want); !slices.Equal(got, wanted) {
			t.Fatalf("a watch from %d:\n%q\nwant\n%q", start, got, wanted)
		}
	}
}

func keyTexts(r KeyReader) string {
	var texts []string
	for n := range r.Keys(KeyRange{}) {
		k := kvKeyOf(n)
		texts = append(texts, k.String())
	}
	return strings.Join(texts, "\n")
}

func (e *KeyEvent) text() string {
	k := kvKeyOf(e.Node)
	if e.Deleted {
		k = kvModelKey{key: k.key, mod: k.mod}
	}
	text := k.String()
	if e.Prev != nil {
		prev := kvKeyOf(e.Prev)
		text += " before: " + prev.String()
	}
	return text
}

// TestImportKeysBesideV2 imports keys beside those of v2.
func TestImportKeysBesideV2(t *testing.T) {
	for name, index := range map[string]uint64{"v2 is ahead": 1000, "v3 is ahead": 20} {
		t.Run(name, func(t *testing.T) {
			s := importedV2(t, index)
			_, err := importKeys(s, New(1).View(), 100, []KeyFields{
				{Key: "/v2", Value: "shadowed", CreateRevision: 7, ModRevision: 9, Version: 2},
				{Key: "/v2/beside", Value: "x", CreateRevision: 100, ModRevision: 100, Version: 1, Sub: 2},
				{Key: "plain", Value: "y", CreateRevision: 101, ModRevision: 101, Version: 1},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range []*Store{s, stored(t, s)} {
				v := s.View()
				if v.Revision() != 101 || v.Index() <= index || v.Key("/v2/key").ModifiedIndex() != index || v.Key("/v2").Value() != "shadowed" {
					t.Errorf("revision %d, index %d, %+v", v.Revision(), v.Index(), v.Key("/v2/key").Fields())
				}
				w := watch(t, s, "/v2/key", Exact, index)
				wantEvent(t, w, index)
				if n := len(keyTexts(v)); n == 0 || v.CountKeys(KeyRange{}) != 4 {
					t.Errorf("there are %d keys", v.CountKeys(KeyRange{}))
				}
			}
		})
	}
	t.Run("clashes", func(t *testing.T) {
		k, _ := importedV2(t, 20).ImportKeys(0)
		for i, key := range []string{"/v2/key", "/v2/key/below", "/v2", "/v2/key"} {
			f := KeyFields{Key: key, CreateRevision: uint64(i) + 2, ModRevision: uint64(i) + 2, Version: 1}
			if err := k.Add(&f); err != nil {
				t.Fatal(err)
			}
		}
		if c := k.Clashes(); c.Changes != 3 || !slices.Equal(c.Keys, []string{"/v2/key", "/v2/key/below"}) {
			t.Errorf("got %+v", c)
		}
		if _, err := k.Finish(); !errors.Is(err, ErrBadState) {
			t.Errorf("got %v", err)
		}
	})
}

// importedV2 returns a store with the key /v2/key of an index, the last one.
func importedV2(t *testing.T, index uint64) *Store {
	t.Helper()
	l := NewLoader(10)
	key := NodeFields{Path: "/v2/key", Value: "v", Created: index, Modified: index}
	if err := l.ImportState(index, Counters{}, nil); err != nil {
		t.Fatal(err)
	}
	l.ImportRevisions(ImportBase(100))
	for _, f := range []NodeFields{{Path: "/v2", Dir: true, Created: 3, Modified: 3}, key} {
		if err := l.ImportNode(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.ImportEvent(EventFields{Action: ActionSet, Node: key}); err != nil {
		t.Fatal(err)
	}
	s, err := l.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestImportKeysOfRevision1 imports what a snapshot of a tree has in which keys of v2 were imported beside keys of v3 without a compaction.
func TestImportKeysOfRevision1(t *testing.T) {
	s := New(10)
	_, err := importKeys(s, s.View(), 0, []KeyFields{
		{Key: "/v2", Value: "x", CreateRevision: 1, ModRevision: 1, Version: 1},
		{Key: "/v2/below", Value: "y", CreateRevision: 1, ModRevision: 1, Version: 1, Sub: 1},
		{Key: "/v3", Value: "z", CreateRevision: 2, ModRevision: 2, Version: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{s, stored(t, s)} {
		v := s.View()
		if v.Revision() != 2 || v.CountKeys(KeyRange{}) != 3 || v.Key("/v2").ModRevision() != 1 || v.Key("/v2/below").CreateRevision() != 1 {
			t.Errorf("revision %d:\n%s", v.Revision(), keyTexts(v))
		}
		if l := s.KeyLog(); !l.IsComplete() || l.Floor() != 1 {
			t.Errorf("the floor is %d", l.Floor())
		}
		if _, err := s.WatchKeys(KeyRange{}, 1); err == nil || err.Code != CodeCompacted {
			t.Errorf("a watch from a revision without events: %v", err)
		}
		if w, err := s.WatchKeys(KeyRange{}, 2); err != nil {
			t.Error(err)
		} else {
			w.Close()
		}
	}
}

// TestImportKeysRefused imports changes that no store of etcd can hold.
func TestImportKeysRefused(t *testing.T) {
	first := KeyFields{Key: "a", CreateRevision: 2, ModRevision: 2, Version: 1}
	for name, list := range map[string][]KeyFields{
		"no key":          {{CreateRevision: 2, ModRevision: 2, Version: 1}},
		"a long key":      {{Key: strings.Repeat("k", MaxKeyBytes+1), CreateRevision: 2, ModRevision: 2, Version: 1}},
		"revision 0":      {{Key: "a", CreateRevision: 0, ModRevision: 0, Version: 1}},
		"a gap":           {first, {Key: "a", CreateRevision: 2, ModRevision: 3 + maxGap, Version: 2}},
		"a gap within":    {first, {Key: "b", CreateRevision: 2, ModRevision: 2, Version: 1, Sub: 2}},
		"twice":           {first, first},
		"another version": {first, {Key: "a", CreateRevision: 2, ModRevision: 3, Version: 3}},
		"created later":   {first, {Key: "a", CreateRevision: 3, ModRevision: 3, Version: 2}},
		"nothing deleted": {first, {Key: "b", ModRevision: 3, Deleted: true}},
		"a huge revision": {{Key: "a", CreateRevision: 2, ModRevision: 1 << 60, Version: 1}},
	} {
		if _, err := importKeys(New(10), New(1).View(), 0, list); !errors.Is(err, ErrBadState) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	s := New(10)
	first.Lease = 7
	if detached, err := importKeys(s, s.View(), 0, []KeyFields{first}); err != nil || detached != 1 || s.View().Key("a").Lease() != 0 {
		t.Errorf("a lost lease: %d, %v", detached, err)
	}
	stored(t, s)
}
