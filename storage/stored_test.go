package storage

import (
	"bytes"
	"os"
	"testing"
)

// checkStored reads the last checkpoint of a member in each way, and writes it in each way.
func checkStored(t *testing.T, m *member) {
	want := dump(m.store)
	content, err := os.ReadFile(m.disk.paths.state)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("a start", func(t *testing.T) {
		if got := dump(reopen(t, copyDir(t, m.dir())).Store); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("a snapshot", func(t *testing.T) {
		file := snapshotOf(t, appendTrailer(content, snapshotVersion))
		if r := reopen(t, restored(t, file)); dump(r.Store) != want || r.Level != m.level {
			t.Errorf("level %d, %s, want %s", r.Level, dump(r.Store), want)
		}
		info, err := InspectSnapshot(file)
		if err != nil || info.Events != m.store.View().Events() {
			t.Errorf("%v; %d events, want %d", err, info.Events, m.store.View().Events())
		}
	})
	t.Run("a peer's checkpoint", func(t *testing.T) {
		staged, err := newMember(t).disk.Stage(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		defer staged.Discard()
		if got := dump(staged.Store); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("compaction", func(t *testing.T) {
		m.compact()
		if got := m.stored(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("a checkpoint of all", func(t *testing.T) {
		c := m.position()
		c.Delta = m.store.TakeAll()
		if _, err := m.disk.Checkpoint(c); err != nil || m.stored() != want {
			t.Errorf("%v, %s, want %s", err, m.stored(), want)
		}
	})
}
