package storage

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"pando/tree"
)

// newKeyMember makes a member of a cluster at the level of the v3 API. It has the directories dirs, which must be sorted, and a file for
// each key: the shadowed file of one of these directories, or that of a plain key.
func newKeyMember(t testing.TB, dirs, keys []string) *member {
	t.Helper()
	m := newMember(t)
	m.level = tree.KVLevel
	m.store.StartRevisions()
	m.write(tree.Command{Op: tree.OpSet, Path: "/file", Value: "value"}, tree.Command{Op: tree.OpSet, Path: "/dir", Dir: true})
	v := m.store.View()
	file, dir := tree.AppendNode(nil, v.Lookup("/file")), tree.AppendNode(nil, v.Lookup("/dir"))
	loader := tree.NewLoader(m.options.HistorySize)
	err := loader.State(v.AppendState(nil))
	for _, path := range dirs {
		err = errors.Join(err, loader.Node(path, dir))
	}
	for _, key := range keys {
		err = errors.Join(err, loader.V3OnlyKey(key, file))
	}
	if err != nil {
		t.Fatal(err)
	}
	if m.store, err = loader.Finish(); err != nil {
		t.Fatal(err)
	}
	m.level = tree.KVLevel
	return m
}

// TestKeys stores keys that v2 does not show in a whole checkpoint, deltas of v2 changes that remove some of them, and then the rest in all
// ways in which a checkpoint is stored and moved.
func TestKeys(t *testing.T) {
	dirs := []string{"/a", "/b", "/b/b", "/b/b/b", "/c", "/c/c"}
	keys := slices.DeleteFunc(slices.Clone(edgeKeys), func(key string) bool { return isPathKey(key) && !slices.Contains(dirs, key) })
	m := newKeyMember(t, dirs, append(keys, "/c", "/c/c", "/b//b/b"))
	for _, step := range []struct {
		name   string
		change func()
	}{
		{"all", func() {}},
		{"a new file", func() { m.set("/c/c/c", "v") }},
		{"a removed directory with shadowed files below", func() { m.remove("/b") }},
		{"a removed directory in another", func() { m.remove("/c/c") }},
		{"a visible file that is replaced", func() { m.set("/b", "v") }},
	} {
		t.Run(step.name, func(t *testing.T) {
			step.change()
			c := m.position()
			if step.name == "all" {
				c.Delta = m.store.TakeAll()
			}
			if _, err := m.disk.Checkpoint(c); err != nil {
				t.Fatal(err)
			}
			if got, want := m.stored(), dump(m.store); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
	v := m.store.View()
	if v.V3OnlyKey("/a") == nil || v.V3OnlyKey("/b") != nil || v.Lookup("/c/c").Value() != "value" || v.V3OnlyKey("/b//b/b") == nil {
		t.Errorf("the steps have led to %s", dump(m.store))
	}
	checkStored(t, m)
	t.Run("the nodes of a snapshot", func(t *testing.T) {
		nodes := int64(0)
		err := ReadSnapshotNodes(m.saveSnapshot(), func(f tree.NodeFields) error {
			nodes++
			if n := v.Lookup(f.Path); n == nil || n.Value() != f.Value {
				return fmt.Errorf("v2 does not show %q", f.Path)
			}
			return nil
		})
		if want := v.Nodes(); err != nil || nodes != want {
			t.Errorf("%d nodes, %v; want %d", nodes, err, want)
		}
	})
	t.Run("a backup", func(t *testing.T) {
		to, err := backup(t, m.options, filepath.Join(t.TempDir(), "backup"))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := dump(reopen(t, to).Store), dump(m.store); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	})
}

// TestBadKeyRecords expects that a start refuses records that no checkpoint has.
func TestBadKeyRecords(t *testing.T) {
	for name, key := range map[string]string{
		"a shadowed file without a directory": "s/none",
		"a plain key that is a path":          "p/path\x00",
		"an unknown letter":                   "xother\x00",
	} {
		t.Run(name, func(t *testing.T) {
			m := newKeyMember(t, []string{"/a"}, []string{"/a"})
			c := m.position()
			c.Delta = m.store.TakeAll()
			if _, err := m.disk.Checkpoint(c); err != nil {
				t.Fatal(err)
			}
			m.change(func(tx *bbolt.Tx) error {
				b, err := openTree(tx)
				if err != nil {
					return err
				}
				record := seal([]byte(key), tree.AppendNode(nil, m.store.View().V3OnlyKey("/a")))
				if _, err := b.nodes.add([]byte(key), record); err != nil {
					return err
				}
				return b.putTotals()
			})
			if _, err := loadState(m.disk.paths.state, 10); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), key[1:4]) {
				t.Errorf("got %v, want %v", err, ErrCorrupt)
			}
		})
	}
}
