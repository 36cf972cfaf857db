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

func TestFailedCompaction(t *testing.T) {
	t.Run("the new file can't be made", func(t *testing.T) {
		m := newMemberWithDeltas(t)
		m.disk.compaction = alwaysCompact
		blocker := m.disk.paths.state + tempSuffix
		m.set("/a", "1")
		s := m.afterCheckpoint(func() {
			if err := os.MkdirAll(blocker+"/not empty", 0o700); err != nil {
				t.Fatal(err)
			}
		})
		if s.Compacted || s.DeltaBytes == 0 || m.disk.NeedsAll() {
			t.Errorf("got %+v", s)
		}
		if err := os.RemoveAll(blocker); err != nil {
			t.Fatal(err)
		}
		if got, want := m.stored(), dump(m.store); got != want {
			t.Errorf("the checkpoint: got %s, want %s", got, want)
		}
		m.set("/b", "2")
		if s := m.checkpoint(); !s.Compacted || s.DeltaBytes != 0 {
			t.Errorf("the next one: %+v", s)
		}
		if got, want := m.stored(), dump(m.store); got != want {
			t.Errorf("the next one: got %s, want %s", got, want)
		}
	})
	t.Run("a damaged event", func(t *testing.T) {
		m := newMemberWithDeltas(t)
		m.disk.compaction = alwaysCompact
		m.set("/a", "1")
		s := m.afterCheckpoint(func() {
			m.change(func(tx *bbolt.Tx) error {
				b := tx.Bucket(keysBucket).Bucket(historyBucket)
				key, event := b.Cursor().First()
				event = bytes.Clone(event)
				event[len(event)/2] ^= 1
				return b.Put(key, event)
			})
		})
		if s.Compacted {
			t.Errorf("copied a damaged event: %+v", s)
		}
		if _, err := m.disk.Checkpoint(m.position()); !errors.Is(err, ErrFailed) || !errors.Is(err, ErrCorrupt) {
			t.Errorf("the next one: %v", err)
		}
		if _, err := m.disk.Checkpoint(m.takeCheckpoint()); err != nil {
			t.Errorf("a checkpoint of all: %v", err)
		}
		if got, want := m.stored(), dump(m.store); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestUnsyncedRename fails the sync of the directory after a compaction has renamed its file. No checkpoint may succeed, and
// no log segment may be deleted, before a sync has made a rename durable: a crash may bring the old file back.
func TestUnsyncedRename(t *testing.T) {
	m := newMemberWithDeltas(t)
	m.disk.compaction = alwaysCompact
	failing := errors.New("no descriptors left")
	m.disk.syncDir = func(string) error { return failing }
	m.set("/a", "1")
	if s := m.checkpoint(); !s.Compacted || !m.disk.NeedsAll() {
		t.Fatalf("the sync has failed, and the file is trusted: %+v", s)
	}
	if _, err := m.disk.Checkpoint(m.position()); !errors.Is(err, ErrFailed) || !errors.Is(err, failing) {
		t.Errorf("a checkpoint of changes: %v", err)
	}
	if _, err := m.disk.Checkpoint(m.takeCheckpoint()); !errors.Is(err, failing) {
		t.Errorf("a checkpoint of all whose sync fails: %v", err)
	}
	m.disk.syncDir = syncDir
	if _, err := m.disk.Checkpoint(m.takeCheckpoint()); err != nil || m.disk.NeedsAll() {
		t.Errorf("a checkpoint of all: %v", err)
	}
	if got, want := m.stored(), dump(m.store); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestInstallAfterDamage installs a checkpoint of a peer over a state.db in doubt.
func TestInstallAfterDamage(t *testing.T) {
	m := newMemberWithDeltas(t)
	staged := m.staged()
	m.disk.doubt(ErrCorrupt)
	if _, err := m.disk.Checkpoint(m.position()); !errors.Is(err, ErrFailed) || !errors.Is(err, ErrCorrupt) {
		t.Errorf("a checkpoint: %v", err)
	}
	if err := m.disk.Install(staged); err != nil {
		t.Fatal(err)
	}
	if _, err := m.disk.Checkpoint(m.position()); err != nil {
		t.Errorf("a checkpoint after one of a peer: %v", err)
	}
}

// TestCompactionHealsDeltas damages a delta. Open must refuse it. A compaction writes the tree
// in memory, so the file is intact again.
func TestCompactionHealsDeltas(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(chunks *bbolt.Bucket) error
	}{
		{"a vanished chunk", func(b *bbolt.Bucket) error { return b.Delete(chunkKey(1)) }},
		{"a chunk in another's place", func(b *bbolt.Bucket) error {
			one, two := bytes.Clone(b.Get(chunkKey(1))), bytes.Clone(b.Get(chunkKey(2)))
			return errors.Join(b.Put(chunkKey(1), two), b.Put(chunkKey(2), one))
		}},
		{"a changed byte", func(b *bbolt.Bucket) error {
			chunk := bytes.Clone(b.Get(chunkKey(1)))
			chunk[len(chunk)/2] ^= 1
			return b.Put(chunkKey(1), chunk)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMemberWithDeltas(t)
			m.change(func(tx *bbolt.Tx) error { return c.damage(tx.Bucket(keysBucket).Bucket(deltaBucket)) })
			if _, err := loadState(m.disk.paths.state, 20); !errors.Is(err, ErrCorrupt) {
				t.Errorf("the start: %v", err)
			}
			if !m.compact() {
				t.Fatal("not compacted")
			}
			if got, want := m.stored(), dump(m.store); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// TestChunks expects chunks of a bounded size, except for a node that is larger than that.
func TestChunks(t *testing.T) {
	m := newMember(t)
	for i := range 100 {
		m.set(fmt.Sprintf("/key%02d", i), strings.Repeat("v", 1000))
	}
	m.set("/large", strings.Repeat("large", 20000))
	m.checkpoint()
	large := 0
	m.change(func(tx *bbolt.Tx) error {
		return tx.Bucket(keysBucket).Bucket(deltaBucket).ForEach(func(_, record []byte) error {
			if len(record) > chunkBytes+sealBytes {
				large++
			}
			return nil
		})
	})
	if n := m.chunks(); large != 1 || n != 5 {
		t.Errorf("%d chunks, %d of them large", n, large)
	}
	if got, want := m.stored(), dump(m.store); got != want {
		t.Errorf("got %.300s, want %.300s", got, want)
	}
}
