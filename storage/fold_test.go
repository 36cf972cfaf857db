package storage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// everything folds whatever is recent, in transactions of a few records.
var everything = foldLimits{least: 0, most: 0, batch: 3}

// manyRecent has nodes and recent changes over them: changed, gone, removed with all
// below, and made again.
func manyRecent(t testing.TB) *member {
	m := newMemberWith(t, 20)
	for i := range 30 {
		m.set(fmt.Sprintf("/dir%d/%02d", i%3, i), "old")
	}
	m.checkpoint()
	m.fold()
	for i := range 10 {
		m.set(fmt.Sprintf("/dir0/%02d", i*3), fmt.Sprintf("new %d", i))
	}
	m.remove("/dir1")
	m.checkpoint()
	m.remove("/dir2")
	m.set("/dir2/05", "again")
	m.set("/dir1", "a file now")
	m.remove("/dir0/03")
	m.checkpoint()
	return m
}

// stored is the tree that the checkpoint of a member holds.
func (m *member) stored() string {
	m.t.Helper()
	d, err := loadState(m.disk.paths.state, m.options.HistorySize)
	if err != nil {
		m.t.Fatal(err)
	}
	return dump(d.store)
}

// chunks is the number of chunks in the checkpoint.
func (m *member) chunks() (n int) {
	m.t.Helper()
	m.change(func(tx *bbolt.Tx) error {
		n = tx.Bucket(keysBucket).Bucket(recentBucket).Stats().KeyN
		return nil
	})
	return n
}

// change changes the checkpoint in ways that are no checkpoint.
func (m *member) change(f func(tx *bbolt.Tx) error) {
	m.t.Helper()
	db, err := openBolt(m.disk.paths.state, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	if err := errors.Join(db.Update(f), db.Close()); err != nil {
		m.t.Fatal(err)
	}
}

// TestCrashInFold looks at the disk between any two transactions of a fold.
func TestCrashInFold(t *testing.T) {
	m := manyRecent(t)
	want := dump(m.store)
	crashes := 0
	err := m.disk.fold(&fold{batch: 1}, func() bool {
		r := reopen(t, copyDir(t, m.dir()))
		if got := dump(r.Store); got != want || r.Applied != m.index {
			t.Errorf("after %d transactions: got %s at entry %d, want %s", crashes, got, r.Applied, want)
		}
		crashes++
		return !t.Failed()
	})
	if err != nil {
		t.Fatal(err)
	}
	if crashes < 25 {
		t.Errorf("only %d transactions", crashes)
	}
	if got := m.stored(); got != want || m.chunks() != 0 {
		t.Errorf("at the end: got %s and %d chunks, want %s and none", got, m.chunks(), want)
	}
}

// TestCheckpointsInFold ends a fold after each of its transactions, and goes on from
// there with more changes, another start, and another fold.
func TestCheckpointsInFold(t *testing.T) {
	for end, whole := 0, false; !whole; end += 3 {
		m := manyRecent(t)
		f, transactions := &fold{batch: 1}, 0
		if err := m.disk.fold(f, func() bool { transactions++; return transactions <= end }); err != nil {
			t.Fatal(err)
		}
		whole = f.done
		m.set("/dir1", "another file")
		m.remove("/dir2")
		m.set("/new/key", "value")
		m.checkpoint()
		want := dump(m.store)
		if got := m.stored(); got != want {
			t.Fatalf("a checkpoint behind %d changes: got %s, want %s", f.folded, got, want)
		}
		m.fold()
		if got := m.stored(); got != want {
			t.Fatalf("a fold behind %d changes: got %s, want %s", f.folded, got, want)
		}
	}
}

func TestFoldWhenDue(t *testing.T) {
	t.Run("above the bound", func(t *testing.T) {
		m := newMember(t)
		m.disk.folds = foldLimits{least: 1000, most: 1000, batch: 3}
		m.set("/small", "value")
		if s := m.checkpoint(); s.Recent == 0 || s.Folded != 0 || s.FoldTime != 0 {
			t.Errorf("below: %+v", s)
		}
		m.set("/large", strings.Repeat("v", 1000))
		if s := m.checkpoint(); s.Recent != 0 || s.Folded != 2 || s.FoldTime == 0 {
			t.Errorf("above: %+v", s)
		}
		if got, want := m.stored(), dump(m.store); got != want || m.chunks() != 0 {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("by the size of the tree", func(t *testing.T) {
		l := foldLimits{least: 10, most: 1000}
		for tree, want := range map[int64]int64{0: 10, 29: 10, 300: 300 / foldShare, 1 << 40: 1000} {
			if got := l.bound(tree); got != want {
				t.Errorf("%d bytes: got %d, want %d", tree, got, want)
			}
		}
	})
}

func TestFoldGivesWay(t *testing.T) {
	m := newMember(t)
	m.disk.folds = foldLimits{least: 100, most: 100, batch: 3}
	done := m.disk.Hurry()
	var s CheckpointStats
	for s.Recent <= 100 {
		m.set("/key", fmt.Sprint(s.Recent))
		s = m.checkpoint()
	}
	if s.Folded != 0 {
		t.Errorf("folded although somebody waits: %+v", s)
	}
	done()
	m.set("/key", strings.Repeat("v", 200))
	if s := m.checkpoint(); s.Folded == 0 {
		t.Errorf("did not fold when nobody waited any more: %+v", s)
	}
}

// TestFoldOfDeleted wants nodes forgotten that a small change has deleted.
func TestFoldOfDeleted(t *testing.T) {
	m := newMember(t)
	for i := range foldStored + 2 {
		m.set(fmt.Sprintf("/big/%d", i), "v")
	}
	m.checkpoint()
	m.fold()
	m.remove("/big")
	m.set("/left", "v")
	if s := m.checkpoint(); s.Stored < foldStored || s.FoldTime == 0 || s.Recent != 0 {
		t.Errorf("not folded: %+v", s)
	}
	if s := m.checkpoint(); s.Stored != 1 || s.FoldTime != 0 {
		t.Errorf("got %+v, want one node and nothing to fold", s)
	}
}

// staged is the checkpoint as a peer would send it.
func (m *member) staged() *Staged {
	m.t.Helper()
	r, err := m.disk.ReadCheckpoint()
	if err != nil {
		m.t.Fatal(err)
	}
	defer r.Close()
	s, err := m.disk.Stage(r, r.Size)
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

// afterCheckpoint does something when a checkpoint holds and before the fold.
func (m *member) afterCheckpoint(f func()) CheckpointStats {
	m.t.Helper()
	m.disk.options.ObserveCheckpoint = func(time.Duration) { f() }
	defer func() { m.disk.options.ObserveCheckpoint = nil }()
	return m.checkpoint()
}

func TestCloseInFold(t *testing.T) {
	m := manyRecent(t)
	m.disk.folds = foldLimits{batch: 1}
	m.set("/last", "change")
	closed := make(chan error, 1)
	m.afterCheckpoint(func() {
		go func() { closed <- m.disk.Close() }()
	})
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	r := reopen(t, m.options)
	if got, want := dump(r.Store), dump(m.store); got != want || len(r.Entries) != 0 {
		t.Errorf("got %s and %d entries, want %s", got, len(r.Entries), want)
	}
}

func TestFailedFold(t *testing.T) {
	t.Run("without the file", func(t *testing.T) {
		m := manyRecent(t)
		m.disk.folds = everything
		away := m.disk.paths.state + ".away"
		m.set("/a", "1")
		s := m.afterCheckpoint(func() {
			if err := errors.Join(os.Rename(m.disk.paths.state, away), os.Mkdir(m.disk.paths.state, 0o700)); err != nil {
				t.Fatal(err)
			}
		})
		if s.Folded != 0 || s.Recent == 0 {
			t.Errorf("got %+v", s)
		}
		if err := errors.Join(os.Remove(m.disk.paths.state), os.Rename(away, m.disk.paths.state)); err != nil {
			t.Fatal(err)
		}
		if got, want := m.stored(), dump(m.store); got != want {
			t.Errorf("the checkpoint: got %s, want %s", got, want)
		}
		m.set("/b", "2")
		if s := m.checkpoint(); s.Folded == 0 || s.Recent != 0 {
			t.Errorf("the next one: %+v", s)
		}
		if got, want := m.stored(), dump(m.store); got != want {
			t.Errorf("the next one: got %s, want %s", got, want)
		}
	})
	t.Run("a damaged chunk", func(t *testing.T) {
		m := manyRecent(t)
		staged := m.staged()
		m.disk.folds = everything
		m.set("/a", "1")
		s := m.afterCheckpoint(func() {
			m.change(func(tx *bbolt.Tx) error {
				b := tx.Bucket(keysBucket).Bucket(recentBucket)
				chunk := bytes.Clone(b.Get(chunkKey(1)))
				chunk[len(chunk)/2] ^= 1
				return b.Put(chunkKey(1), chunk)
			})
		})
		if s.Folded != 0 {
			t.Errorf("folded what is damaged: %+v", s)
		}
		if _, err := m.disk.Checkpoint(m.position()); !errors.Is(err, ErrFailed) || !errors.Is(err, ErrCorrupt) {
			t.Errorf("the next one: %v", err)
		}
		if err := m.disk.Install(staged); err != nil {
			t.Fatal(err)
		}
		if _, err := m.disk.Checkpoint(m.position()); err != nil {
			t.Errorf("after one from a peer: %v", err)
		}
	})
}

// TestDamagedRecent wants damage noticed that the checksum of no chunk shows.
func TestDamagedRecent(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(chunks *bbolt.Bucket) error
	}{
		{"a vanished chunk", func(b *bbolt.Bucket) error { return b.Delete(chunkKey(1)) }},
		{"a chunk in another's place", func(b *bbolt.Bucket) error {
			one, two := bytes.Clone(b.Get(chunkKey(1))), bytes.Clone(b.Get(chunkKey(2)))
			return errors.Join(b.Put(chunkKey(1), two), b.Put(chunkKey(2), one))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := manyRecent(t)
			m.change(func(tx *bbolt.Tx) error { return c.damage(tx.Bucket(keysBucket).Bucket(recentBucket)) })
			if err := m.disk.fold(&fold{batch: 10}, func() bool { return true }); !errors.Is(err, ErrCorrupt) {
				t.Errorf("the fold: %v", err)
			}
			if _, err := loadState(m.disk.paths.state, 20); !errors.Is(err, ErrCorrupt) {
				t.Errorf("the start: %v", err)
			}
		})
	}
}

// TestChunks expects large deltas in chunks of a bounded size, and nodes larger than
// that whole.
func TestChunks(t *testing.T) {
	m := newMember(t)
	for i := range 100 {
		m.set(fmt.Sprintf("/key%02d", i), strings.Repeat("v", 1000))
	}
	m.set("/large", strings.Repeat("large", 20000))
	m.checkpoint()
	large := 0
	m.change(func(tx *bbolt.Tx) error {
		return tx.Bucket(keysBucket).Bucket(recentBucket).ForEach(func(_, record []byte) error {
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
