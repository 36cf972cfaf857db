package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.etcd.io/raft/v3/raftpb"

	"pando/tree"
)

// alwaysCompact makes a compaction follow each checkpoint that has a delta.
var alwaysCompact = compactionLimits{minBytes: 0, maxBytes: 0}

// neverCompact keeps all deltas.
var neverCompact = compactionLimits{minBytes: 1 << 40, maxBytes: 1 << 40}

// newMemberWithDeltas makes a member with nodes and deltas. Some nodes were changed, deleted,
// deleted with their directory, and made again.
func newMemberWithDeltas(t testing.TB) *member {
	m := newMemberWith(t, 20)
	for i := range 30 {
		m.set(fmt.Sprintf("/dir%d/%02d", i%3, i), "old")
	}
	m.checkpoint()
	m.compact()
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

// compact compacts state.db. The last checkpoint must be of the member's present tree. It
// reports whether the compaction came to its end.
func (m *member) compact() bool {
	m.t.Helper()
	c := &Checkpoint{
		Delta:   &tree.Delta{View: m.store.View(), OldestEvent: m.store.View().OldestEvent()},
		Applied: m.disk.last.index, Term: m.disk.last.term,
		ConfState: &raftpb.ConfState{Voters: []uint64{testIdentity.MemberID}}, Members: []byte("members"), Level: m.level,
	}
	var stats CheckpointStats
	if err := m.disk.compact(c, &stats); err != nil {
		m.t.Fatal(err)
	}
	return stats.Compacted
}

// stored dumps the tree in the checkpoint.
func (m *member) stored() string {
	m.t.Helper()
	d, err := loadState(m.disk.paths.state, m.options.HistorySize)
	if err != nil {
		m.t.Fatal(err)
	}
	return dump(d.store)
}

// chunks counts the chunks of deltas in the checkpoint.
func (m *member) chunks() (n int) {
	m.t.Helper()
	m.change(func(tx *bbolt.Tx) error {
		n = tx.Bucket(keysBucket).Bucket(deltaBucket).Stats().KeyN
		return nil
	})
	return n
}

// change runs a transaction on the checkpoint.
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

// smallPortions makes each transaction write one record.
func (m *member) smallPortions() { m.disk.portionBytes = 1 }

// TestCrashInCompaction looks at the disk after each transaction of a compaction.
func TestCrashInCompaction(t *testing.T) {
	m := newMemberWithDeltas(t)
	m.smallPortions()
	want := dump(m.store)
	transactions := 0
	m.eachTransaction(func() {
		transactions++
		o := copyDir(t, m.dir())
		r := reopen(t, o)
		if got := dump(r.Store); got != want || r.Applied != m.index {
			t.Errorf("after %d transactions: got %s at entry %d, want %s", transactions, got, r.Applied, want)
		}
		if _, err := os.Stat(filepath.Join(o.DataDir, stateName) + tempSuffix); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("after %d transactions: the unfinished file is left: %v", transactions, err)
		}
	})
	if !m.compact() || transactions < 25 {
		t.Errorf("%d transactions", transactions)
	}
	if got := m.stored(); got != want || m.chunks() != 0 {
		t.Errorf("at the end: got %s and %d chunks, want %s and none", got, m.chunks(), want)
	}
}

// TestInterruptedCompaction ends a compaction after each of its transactions. Then come more
// changes, a checkpoint, and another compaction.
func TestInterruptedCompaction(t *testing.T) {
	for end, whole := 1, false; !whole; end += 3 {
		m := newMemberWithDeltas(t)
		m.smallPortions()
		transactions, resume := 0, func() {}
		m.eachTransaction(func() {
			if transactions++; transactions == end {
				resume = m.disk.DeferCompaction()
			}
		})
		whole = m.compact()
		resume()
		m.set("/dir1", "another file")
		m.remove("/dir2")
		m.set("/new/key", "value")
		m.checkpoint()
		want := dump(m.store)
		if got := m.stored(); got != want {
			t.Fatalf("a checkpoint after %d transactions: got %s, want %s", transactions, got, want)
		}
		if !m.compact() {
			t.Fatal("the second compaction did not end")
		}
		if got := m.stored(); got != want {
			t.Fatalf("a compaction after %d transactions: got %s, want %s", transactions, got, want)
		}
	}
}

func TestCompactionWhenDue(t *testing.T) {
	t.Run("above the bound", func(t *testing.T) {
		m := newMember(t)
		m.disk.compaction = compactionLimits{minBytes: 1000, maxBytes: 1000}
		m.set("/small", "value")
		if s := m.checkpoint(); s.DeltaBytes == 0 || s.Compacted || s.CompactionTime != 0 {
			t.Errorf("below: %+v", s)
		}
		m.set("/large", strings.Repeat("v", 1000))
		if s := m.checkpoint(); s.DeltaBytes != 0 || !s.Compacted || s.CompactionTime == 0 || s.StoredNodes != 2 {
			t.Errorf("above: %+v", s)
		}
		if got, want := m.stored(), dump(m.store); got != want || m.chunks() != 0 {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("by the size of the tree", func(t *testing.T) {
		l := compactionLimits{minBytes: 10, maxBytes: 1000}
		for tree, want := range map[int64]int64{0: 10, 19: 10, 300: 300 / deltaShare, 1 << 40: 1000} {
			if got := l.bound(tree); got != want {
				t.Errorf("%d bytes: got %d, want %d", tree, got, want)
			}
		}
	})
	t.Run("by the number of deleted nodes", func(t *testing.T) {
		m := newMember(t)
		var commands []tree.Command
		for i := range deletedNodes + 2 {
			commands = append(commands, tree.Command{Op: tree.OpSet, Path: fmt.Sprintf("/big/%d", i), Value: "v"})
		}
		m.write(commands...)
		m.checkpoint()
		m.compact()
		m.remove("/big")
		m.set("/left", "v")
		if s := m.checkpoint(); s.StoredNodes != 1 || !s.Compacted || s.DeltaBytes != 0 {
			t.Errorf("not compacted: %+v", s)
		}
		if s := m.checkpoint(); s.StoredNodes != 1 || s.CompactionTime != 0 {
			t.Errorf("got %+v, want one node and no compaction", s)
		}
	})
}

func TestDeferredCompaction(t *testing.T) {
	m := newMember(t)
	m.disk.compaction = compactionLimits{minBytes: 100, maxBytes: 100}
	resume := m.disk.DeferCompaction()
	var s CheckpointStats
	for s.DeltaBytes <= 100 {
		m.set("/key", fmt.Sprint(s.DeltaBytes))
		s = m.checkpoint()
	}
	if s.Compacted || s.CompactionTime != 0 {
		t.Errorf("compacted although it was deferred: %+v", s)
	}
	resume()
	m.set("/key", strings.Repeat("v", 200))
	if s := m.checkpoint(); !s.Compacted {
		t.Errorf("did not compact after the deferral: %+v", s)
	}
}

// staged sends the checkpoint to the member itself, as a peer would.
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

// afterCheckpoint writes a checkpoint, and calls f when it is valid and before a compaction.
func (m *member) afterCheckpoint(f func()) CheckpointStats {
	m.t.Helper()
	m.disk.options.ObserveCheckpoint = func(time.Duration) { f() }
	defer func() { m.disk.options.ObserveCheckpoint = nil }()
	return m.checkpoint()
}

func TestCloseInCompaction(t *testing.T) {
	m := newMemberWithDeltas(t)
	m.disk.compaction = alwaysCompact
	m.smallPortions()
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
