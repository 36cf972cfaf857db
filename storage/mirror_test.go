package storage

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"pando/tree"
)

// followingStore returns an empty tree that follows an etcd.
func followingStore() *tree.Store {
	s := tree.New(1000)
	s.Follow()
	return s
}

// importFollowing makes the data of a member of a cluster that follows an etcd.
func importFollowing(t *testing.T) Options {
	t.Helper()
	o := Options{DataDir: filepath.Join(t.TempDir(), "data"), HistorySize: 1000}
	founding := Founding{Identity: testIdentity, Voters: []uint64{testIdentity.MemberID}}
	if err := Import(o, Imported{Store: followingStore(), Applied: 7, Term: 2}, founding); err != nil {
		t.Fatal(err)
	}
	return o
}

// newFollowingMember makes a member that follows an etcd, with a mirror in its checkpoint. A node is newer than the index.
func newFollowingMember(t *testing.T) *member {
	t.Helper()
	m := newMember(t)
	m.store, m.level = followingStore(), tree.MirrorLevel
	m.mirror(&tree.MirrorChange{After: 1, To: 5, Sources: []string{"http://source"}, Events: []tree.EventFields{
		{Action: tree.ActionSet, Node: tree.NodeFields{Path: "/a", Value: "v", Created: 3, Modified: 3}},
	}})
	m.mirror(&tree.MirrorChange{After: 5, To: 5, Phase: tree.PhaseFenced, Nodes: []tree.NodeFields{{Path: "/b", Created: 9, Modified: 9}}})
	m.checkpoint()
	return m
}

// mirror writes a change of the mirror.
func (m *member) mirror(c *tree.MirrorChange) {
	m.t.Helper()
	m.write(tree.Command{Op: tree.OpMirror, Mirror: c})
	if got := m.store.View().Index(); got != c.To {
		m.t.Fatalf("%+v was refused: the index is %d", c, got)
	}
}

// TestMirror stores a mirror, and reads it in each way: while the cluster follows, and after the end.
func TestMirror(t *testing.T) {
	m := newFollowingMember(t)
	t.Run("following", func(t *testing.T) { checkStored(t, m) })
	m.mirror(&tree.MirrorChange{After: 5, To: 1005, Phase: tree.PhaseEnded})
	m.set("/c", "1")
	m.checkpoint()
	t.Run("ended", func(t *testing.T) {
		checkStored(t, m)
		r := reopen(t, copyDir(t, m.dir()))
		w, err := r.Store.Watch("/", tree.Recursive, 3)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		for _, want := range []uint64{3, 1006} {
			if e, err := w.Poll(); err != nil || e == nil || e.Index() != want {
				t.Fatalf("got %v, %v, want event %d", e, err, want)
			}
		}
	})
}

// TestMirrorImported checks that an import stores the mirror, and that the log replays its changes.
func TestMirrorImported(t *testing.T) {
	r := reopen(t, importFollowing(t))
	if m := r.Store.View().Mirror(); m == nil || m.Phase != tree.PhaseFollowing || r.Level != FeatureLevel {
		t.Errorf("level %d, %+v", r.Level, m)
	}
	m := newFollowingMember(t)
	m.mirror(&tree.MirrorChange{After: 5, To: 8, ForwardWrites: new(true)})
	if got, want := dump(reopen(t, copyDir(t, m.dir())).replay()), dump(m.store); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestMirrorDamaged checks that checkpoints are refused whose mirror is not what a member has written. The checksums are right.
func TestMirrorDamaged(t *testing.T) {
	put := func(data string) func(keys, meta *bbolt.Bucket) error {
		return func(keys, _ *bbolt.Bucket) error { return putSealed(keys, mirrorKey, []byte(data)) }
	}
	for name, damage := range map[string]func(keys, meta *bbolt.Bucket) error{
		"missing":                  func(keys, _ *bbolt.Bucket) error { return keys.Delete(mirrorKey) }, // /b is newer than the index
		"empty":                    put(""),
		"a newer version":          put("\x02\x01\x00\x00\x09\x00\x00"),
		"an unknown phase":         put("\x01\x07\x00\x00\x09\x00\x00"),
		"skipped indexes to come":  put("\x01\x00\x00\x00\x09\x06\x07"),
		"skipped while it follows": put("\x01\x01\x00\x00\x09\x04\x05"),
		"a lower level":            func(_, meta *bbolt.Bucket) error { return putSealed(meta, levelKey, appendWords(nil, tree.UsersLevel)) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newFollowingMember(t)
			m.change(func(tx *bbolt.Tx) error { return damage(tx.Bucket(keysBucket), tx.Bucket(metaBucket)) })
			if _, err := loadState(m.disk.paths.state, 20); !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("written at a lower level", func(t *testing.T) {
		m := newFollowingMember(t)
		m.level = tree.UsersLevel
		if _, err := m.disk.Checkpoint(m.position()); err == nil || !strings.Contains(err.Error(), "a mirror at feature level 2") {
			t.Errorf("got %v", err)
		}
	})
}
