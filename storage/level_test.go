package storage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"pando/tree"
)

// checkpointAt stores a checkpoint of a cluster at a feature level. From level 5 on the tree counts revisions.
func (m *member) checkpointAt(level uint64) {
	m.t.Helper()
	if level >= tree.KVLevel {
		m.store.StartRevisions()
	}
	c := m.position()
	c.Level = level
	if _, err := m.disk.Checkpoint(c); err != nil {
		m.t.Fatal(err)
	}
}

// contentAt returns the checkpoint of a cluster at a feature level.
func contentAt(t *testing.T, level uint64) []byte {
	t.Helper()
	m := newMember(t)
	m.set("/a", "1")
	m.checkpointAt(level)
	content, err := os.ReadFile(m.disk.paths.state)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestLevel stores checkpoints of clusters at a feature level that this program serves, and reads them in each way.
func TestLevel(t *testing.T) {
	t.Run("the format follows the level", func(t *testing.T) {
		m := newMember(t)
		m.set("/a", "1")
		m.checkpoint()
		if got := m.format(); got != stateFormat {
			t.Errorf("format %d at level 0", got)
		}
		m.set("/b", "2")
		m.checkpointAt(1)
		if got := m.format(); got != levelFormat {
			t.Errorf("format %d at level 1", got)
		}
		if r := reopen(t, copyDir(t, m.dir())); r.Level != 1 || dump(r.Store) != dump(m.store) {
			t.Errorf("level %d, %s", r.Level, dump(r.Store))
		}
	})
	t.Run("a snapshot keeps the level", func(t *testing.T) {
		file := snapshotOf(t, appendTrailer(contentAt(t, 1), snapshotVersion))
		info, err := InspectSnapshot(file)
		if err != nil || info.Level != 1 {
			t.Fatalf("got %+v, %v", info, err)
		}
		if r := reopen(t, restored(t, file)); r.Level != 1 {
			t.Errorf("restored at level %d", r.Level)
		}
	})
	t.Run("a peer's checkpoint has the level", func(t *testing.T) {
		content := contentAt(t, 1)
		staged, err := newMember(t).disk.Stage(bytes.NewReader(content), int64(len(content)))
		if err != nil || staged.Level != 1 {
			t.Fatalf("got %+v, %v", staged, err)
		}
		staged.Discard()
	})
	t.Run("an unfinished checkpoint does not count", func(t *testing.T) {
		m := newMember(t)
		m.set("/a", "1")
		m.checkpointAt(1)
		want := dump(m.store)
		m.change(func(tx *bbolt.Tx) error { return putFormat(tx.Bucket(metaBucket), unfinishedLevelFormat) })
		if r := reopen(t, copyDir(t, m.dir())); r.Level != 1 || dump(r.Store) != want {
			t.Errorf("level %d, %s", r.Level, dump(r.Store))
		}
		m.set("/b", "2")
		m.checkpointAt(1)
		if got := m.format(); got != levelFormat {
			t.Errorf("format %d", got)
		}
	})
}

// TestLevelTooHigh refuses what a cluster above this program's feature level has written, and changes nothing.
func TestLevelTooHigh(t *testing.T) {
	text := fmt.Sprintf("the cluster is at feature level %d, this program serves levels up to %d: start the newer Pando",
		FeatureLevel+1, FeatureLevel)
	t.Run("data directory", func(t *testing.T) {
		m := newMember(t)
		m.set("/a", "1")
		m.checkpointAt(FeatureLevel + 1)
		m.close()
		unchangedBy(t, m.options, ErrNewerFormat, text)
	})
	t.Run("snapshot", func(t *testing.T) {
		file := snapshotOf(t, appendTrailer(contentAt(t, FeatureLevel+1), snapshotVersion))
		if _, err := InspectSnapshot(file); !errors.Is(err, ErrNewerFormat) || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a peer's checkpoint", func(t *testing.T) {
		content := contentAt(t, FeatureLevel+1)
		_, err := newMember(t).disk.Stage(bytes.NewReader(content), int64(len(content)))
		if !errors.Is(err, ErrNewerFormat) || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v", err)
		}
	})
}

// TestRevisions stores a tree that begins to count revisions between two checkpoints, and reads it from the data directory, a snapshot and
// another member's checkpoint.
func TestRevisions(t *testing.T) {
	m := newMember(t)
	m.set("/a", "1")
	m.set("/b", "1")
	m.checkpointAt(tree.KVLevel - 1)
	before := reopen(t, copyDir(t, m.dir())).Store.View()
	if before.RevisionsStarted() || before.Revision() != before.Index() {
		t.Fatalf("below level %d: revision %d at index %d", tree.KVLevel, before.Revision(), before.Index())
	}
	m.checkpointAt(tree.KVLevel)
	m.write(tree.Command{Op: tree.OpTxn, Txn: &tree.Txn{Then: []tree.Command{
		{Op: tree.OpUpdate, Path: "/a", Value: "2"}, {Op: tree.OpSet, Path: "/c/d", Value: "1", Expires: 1 << 62},
	}}})
	m.write(tree.Command{Op: tree.OpDelete, Path: "/b"})
	m.checkpointAt(tree.KVLevel)
	want := m.store.View()
	if want.Revision() != before.Revision()+2 || want.Index() != before.Index()+3 {
		t.Fatalf("revision %d at index %d, before %d at %d", want.Revision(), want.Index(), before.Revision(), before.Index())
	}
	content, err := os.ReadFile(m.disk.paths.state)
	if err != nil {
		t.Fatal(err)
	}
	staged, err := newMember(t).disk.Stage(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	defer staged.Discard()
	for name, store := range map[string]*tree.Store{
		"data directory":      reopen(t, copyDir(t, m.dir())).Store,
		"snapshot":            reopen(t, restored(t, snapshotOf(t, appendTrailer(content, snapshotVersion)))).Store,
		"a peer's checkpoint": staged.Store,
	} {
		got := store.View()
		yes := func() bool { return true }
		if got.HashState() != want.HashState() || !slices.Equal(got.HashRanges(nil, yes), want.HashRanges(nil, yes)) {
			t.Errorf("%s: the hashes differ", name)
		}
		a := got.Lookup("/a")
		if got.Revision() != want.Revision() || a.CreateRevision() != 2 || a.ModRevision() != want.Revision()-1 || a.Version() != 2 {
			t.Errorf("%s: revision %d; /a has %d, %d, version %d", name, got.Revision(), a.CreateRevision(), a.ModRevision(), a.Version())
		}
	}
}

// TestRevisionsOfAnotherLevel refuses to store, and to load, a tree that does not count revisions as its level demands.
func TestRevisionsOfAnotherLevel(t *testing.T) {
	m := newMember(t)
	m.set("/a", "1")
	c := m.position()
	c.Level = tree.KVLevel
	if _, err := m.disk.Checkpoint(c); err == nil || !strings.Contains(err.Error(), "no revisions at feature level 5") {
		t.Errorf("without revisions: %v", err)
	}
	m.store.ReturnDelta(c.Delta)
	m.store.StartRevisions()
	c = m.position()
	c.Level = tree.KVLevel - 1
	if _, err := m.disk.Checkpoint(c); err == nil || !strings.Contains(err.Error(), "revisions at feature level 4, but they need level 5") {
		t.Errorf("with revisions: %v", err)
	}
	m.store.ReturnDelta(c.Delta)
	m.checkpointAt(tree.KVLevel)
	m.change(func(tx *bbolt.Tx) error {
		return putSealed(tx.Bucket(metaBucket), levelKey, appendWords(nil, tree.KVLevel-1))
	})
	m.close()
	unchangedBy(t, m.options, ErrCorrupt, "revisions at feature level 4")
}
