package storage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// checkpointAt stores a checkpoint of a cluster at a feature level.
func (m *member) checkpointAt(level uint64) {
	m.t.Helper()
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
