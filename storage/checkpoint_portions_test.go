package storage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"pando/tree/users"
)

// fillLarge sets keys, each with a value of size bytes.
func (m *member) fillLarge(keys, size int) {
	m.t.Helper()
	for i := range keys {
		m.set(fmt.Sprintf("/large/%d", i), strings.Repeat(string(rune('a'+i%26)), size))
	}
}

// eachTransaction calls look after each transaction on state.db.
func (m *member) eachTransaction(look func()) {
	m.disk.update = func(db *bbolt.DB, change func(*bbolt.Tx) error) error {
		err := db.Update(change)
		look()
		return err
	}
}

// setPortions sets the size of the transactions of checkpoints, and turns compaction off.
func (m *member) setPortions(bytes int64) {
	m.disk.portionBytes, m.disk.compaction = bytes, neverCompact
}

// TestCrashInPortions stops between the transactions of a large checkpoint. The checkpoint before
// must be intact, and the next one must not contain anything of the unfinished one.
func TestCrashInPortions(t *testing.T) {
	m := newMemberWith(t, 20)
	m.setPortions(64 << 10)
	m.set("/old", "1")
	m.changeUsers(putUser("ann", "old hash"), putUser("bob", "hash"))
	m.checkpoint()
	before := dump(m.store)
	m.remove("/old")
	m.fillLarge(20, 16<<10)
	m.changeUsers(putUser("ann", "new hash"), &users.Change{Op: users.DeleteUser, Name: "bob"}, putRole("reader", "/a*"))
	after := dump(m.store)
	var left [][]byte
	var crashed Options // a copy of the directory in the middle of the checkpoint
	m.eachTransaction(func() {
		data, err := os.ReadFile(m.disk.paths.state)
		if err != nil {
			t.Fatal(err)
		}
		if left = append(left, data); len(left) == 6 {
			crashed = copyDir(t, m.dir())
		}
	})
	m.checkpoint()
	if len(left) < 8 {
		t.Fatalf("only %d transactions", len(left))
	}
	for i, data := range left {
		want := before
		if i == len(left)-1 {
			want = after
		}
		d, err := readState(bytes.NewReader(data), int64(len(data)), 20)
		if err != nil {
			t.Fatalf("after transaction %d: %v", i, err)
		}
		if got := dump(d.store); got != want {
			t.Fatalf("after transaction %d: got %.200s, want %.200s", i, got, want)
		}
	}
	t.Run("the next one", func(t *testing.T) {
		o := crashed
		o.HistorySize = 20
		d, r, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		again := &member{t: t, options: o, disk: d, store: r.replay(), index: m.index, term: m.term, level: m.level}
		if got := dump(again.store); got != after {
			t.Errorf("replayed: got %.200s, want %.200s", got, after)
		}
		again.set("/new", "1")
		again.checkpoint()
		again.close()
		if got, want := dump(reopen(t, o).Store), dump(again.store); got != want {
			t.Errorf("got %.200s, want %.200s", got, want)
		}
	})
}

// TestNothingButUnfinished stops in the middle of a large checkpoint before which there were no
// deltas. So the next checkpoint deletes all chunks and many events. It must come to its
// end.
func TestNothingButUnfinished(t *testing.T) {
	for _, tc := range []struct {
		name   string
		before func(m *member)
	}{
		{"the first checkpoint", func(*member) {}},
		{"the first one after a compaction", func(m *member) {
			m.fillLarge(3, 100)
			m.checkpoint()
			m.compact()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMemberWith(t, 20)
			m.setPortions(64 << 10)
			tc.before(m)
			m.fillLarge(20, 16<<10)
			var crashed Options
			transactions := 0
			m.eachTransaction(func() {
				if transactions++; transactions == 7 { // all chunks are there, and some events
					crashed = copyDir(t, m.dir())
				}
			})
			m.checkpoint()
			crashed.HistorySize = 20
			d, r, err := Open(crashed)
			if err != nil {
				t.Fatal(err)
			}
			again := &member{t: t, options: crashed, disk: d, store: r.replay(), index: m.index, term: m.term}
			c := again.position()
			done := make(chan error, 1)
			go func() {
				_, err := d.Checkpoint(c)
				done <- err
			}()
			select {
			case err := <-done:
				if err != nil {
					t.Fatal(err)
				}
			case <-time.After(time.Minute):
				t.Fatal("the next checkpoint does not end")
			}
			again.close()
			if got, want := dump(reopen(t, crashed).Store), dump(m.store); got != want {
				t.Errorf("got %.200s, want %.200s", got, want)
			}
		})
	}
}

// TestCheckpointMemory writes and compacts a checkpoint of many portions, and measures the heap
// meanwhile. It must not grow with the size of the checkpoint.
func TestCheckpointMemory(t *testing.T) {
	skipShort(t)
	const portion = 1 << 20
	m := newMemberWith(t, 10)
	m.disk.portionBytes = portion
	m.disk.compaction = alwaysCompact
	m.fillLarge(40, portion/2)
	alive := func() int64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	before, most := alive(), int64(0)
	transactions := 0
	m.disk.update = func(db *bbolt.DB, change func(*bbolt.Tx) error) error {
		return db.Update(func(tx *bbolt.Tx) error {
			err := change(tx)
			if transactions++; transactions%5 == 0 {
				most = max(most, alive())
			}
			return err
		})
	}
	if stats := m.checkpoint(); !stats.Compacted {
		t.Fatal("nothing was compacted")
	}
	if more := most - before; more > 6*portion {
		t.Errorf("a checkpoint needs %d MB", more>>20)
	}
	if got, want := dump(reopen(t, copyDir(t, m.dir())).Store), dump(m.store); got != want {
		t.Errorf("got %.200s, want %.200s", got, want)
	}
}

// TestStateInDoubt makes transactions on state.db fail as on a bad disk, before or after they
// have changed the file. The next checkpoint of all writes a new file.
func TestStateInDoubt(t *testing.T) {
	for _, tc := range []struct {
		name   string
		update func(db *bbolt.DB, change func(*bbolt.Tx) error) error
	}{
		{"nothing was written", func(*bbolt.DB, func(*bbolt.Tx) error) error { return syscall.EIO }},
		{"all was written", func(db *bbolt.DB, change func(*bbolt.Tx) error) error {
			return errors.Join(db.Update(change), &os.PathError{Op: "fdatasync", Err: syscall.EIO})
		}},
		{"damaged", func(db *bbolt.DB, _ func(*bbolt.Tx) error) error {
			if err := os.WriteFile(db.Path(), bytes.Repeat([]byte{7}, 1<<16), 0o600); err != nil {
				return err
			}
			return syscall.EIO
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMember(t)
			for i := range 100 {
				m.set(fmt.Sprintf("/k%d", i), "value")
			}
			m.checkpoint()
			m.set("/k1", "new")
			update := m.disk.update
			m.disk.update = tc.update
			for range 2 {
				c := m.takeCheckpoint()
				if _, err := m.disk.Checkpoint(c); !errors.Is(err, syscall.EIO) {
					t.Fatalf("got %v", err)
				}
				m.store.ReturnDelta(c.Delta)
				m.set("/k2", "while it fails")
			}
			if since, err := m.disk.CheckpointFailing(); since.IsZero() || !errors.Is(err, syscall.EIO) || !m.disk.NeedsAll() {
				t.Errorf("failing since %v: %v", since, err)
			}
			m.disk.update = update
			if _, err := m.disk.Checkpoint(m.takeCheckpoint()); err != nil {
				t.Fatal(err)
			}
			if since, err := m.disk.CheckpointFailing(); !since.IsZero() || err != nil || m.disk.NeedsAll() {
				t.Errorf("still failing since %v: %v", since, err)
			}
			if size := m.disk.WALSize(); size != 0 {
				t.Errorf("the log after the checkpoint has %d bytes", size)
			}
			m.set("/k3", "and the next")
			m.checkpoint()
			m.close()
			r := reopen(t, m.options)
			if got, want := dump(r.Store), dump(m.store); got != want || len(r.Entries) != 0 {
				t.Errorf("got %.200s, want %.200s", got, want)
			}
			if got, want := r.Store.View().OldestEvent(), m.store.View().OldestEvent(); got != want {
				t.Errorf("the oldest event is %d, want %d", got, want)
			}
		})
	}
}

// takeCheckpoint returns the next checkpoint. Its delta is one of all if NeedsAll reports true.
func (m *member) takeCheckpoint() Checkpoint {
	if !m.disk.NeedsAll() {
		return m.position()
	}
	all := m.store.TakeAll()
	c := m.position()
	c.Delta = all
	return c
}
