package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"pando/tree"
)

func TestCreateOpen(t *testing.T) {
	m := newMember(t)
	m.close()
	r := reopen(t, m.options)
	if r.Identity != testIdentity || r.Applied != 0 || r.Term != 0 || len(r.Entries) != 0 || len(r.Members) != 0 {
		t.Errorf("got %+v", r)
	}
	if got, want := dump(r.Store), dump(tree.New(1000)); got != want {
		t.Errorf("got tree %s, want %s", got, want)
	}
	if found, err := Exists(m.options); !found || err != nil {
		t.Errorf("Exists: %v, %v", found, err)
	}
	if _, err := Create(m.options, testIdentity); !errors.Is(err, ErrExists) {
		t.Errorf("Create again: %v", err)
	}
}

func TestReplay(t *testing.T) {
	m := newMember(t)
	for i := range 20 {
		m.set(fmt.Sprintf("/a/%d", i), "value")
	}
	m.close()
	r := reopen(t, m.options)
	if len(r.Entries) != 20 || r.Entries[0].GetIndex() != 1 {
		t.Fatalf("%d entries", len(r.Entries))
	}
	if r.HardState.GetTerm() != m.term || r.HardState.GetVote() != testIdentity.MemberID || r.HardState.GetCommit() != 19 {
		t.Errorf("hard state %v", r.HardState)
	}
	if got, want := dump(r.replay()), dump(m.store); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCheckpoint(t *testing.T) {
	m := newMember(t)
	m.set("/a/b/c", "1")
	m.set("/a/b/d", "2")
	stats := m.checkpoint()
	if stats.Nodes != 4 || stats.Events != 2 || stats.RecordBytes == 0 || stats.PageBytes == 0 || stats.Duration == 0 {
		t.Errorf("stats %+v", stats)
	}
	m.set("/a/b/c", "3")
	m.close()
	r := reopen(t, m.options)
	if r.Applied != 2 || r.Term != m.term || string(r.Members) != "members" || len(r.Entries) != 1 || r.Entries[0].GetIndex() != 3 {
		t.Fatalf("got %+v", r)
	}
	if got := r.ConfState.GetVoters(); len(got) != 1 || got[0] != testIdentity.MemberID {
		t.Errorf("voters %x", got)
	}
	if r.HardState.GetCommit() < r.Applied {
		t.Errorf("commit index %d, checkpoint at %d", r.HardState.GetCommit(), r.Applied)
	}
	if got, want := dump(r.replay()), dump(m.store); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestCheckpoints makes changes with many checkpoints and restarts. The tree must be the same as
// without them.
func TestCheckpoints(t *testing.T) {
	t.Run("never compacted", func(t *testing.T) { testCheckpoints(t, neverCompact) })
	t.Run("always compacted", func(t *testing.T) { testCheckpoints(t, alwaysCompact) })
	t.Run("compacted now and then", func(t *testing.T) { testCheckpoints(t, compactionLimits{minBytes: 500, maxBytes: 500}) })
}

func testCheckpoints(t *testing.T, compaction compactionLimits) {
	steps := []func(m *member){
		func(m *member) { m.set("/dir/sub/a", "1") },
		func(m *member) { m.set("/dir/sub/b", "2"); m.set("/dirt", "beside") },
		func(m *member) { m.remove("/dir"); m.set("/dir/sub/a", "again") },
		func(m *member) { m.remove("/dir/sub/a") },
		func(m *member) { m.remove("/dir"); m.set("/dir", "a file now") },
		func(m *member) { m.remove("/dir") },
		func(m *member) {},
		func(m *member) { m.set("/\xff\x00!", strings.Repeat("big", 100000)) },
		func(m *member) { m.set("/"+strings.Repeat("k", tree.MaxPathBytes-1), "") },
		func(m *member) {
			for i := range 3000 {
				m.set(fmt.Sprintf("/many/%d/%d", i%7, i), "x")
			}
		},
		func(m *member) { m.remove("/many/3"); m.remove("/many/5") },
		func(m *member) { m.remove("/many") },
	}
	m := newMember(t)
	m.disk.compaction = compaction
	for i, step := range steps {
		step(m)
		want := dump(m.store)
		if got := dump(reopen(t, copyDir(t, m.dir())).replay()); got != want {
			t.Fatalf("step %d: the log gives %.500s, want %.500s", i, got, want)
		}
		m.checkpoint()
		r := reopen(t, copyDir(t, m.dir()))
		if len(r.Entries) != 0 || r.Applied != m.index {
			t.Fatalf("step %d: %d entries after %d", i, len(r.Entries), r.Applied)
		}
		if got := dump(r.Store); got != want {
			t.Fatalf("step %d: the checkpoint gives %.500s, want %.500s", i, got, want)
		}
	}
}

func TestHistorySurvives(t *testing.T) {
	m := newMember(t)
	m.options.HistorySize = 1000
	for i := range 2500 {
		m.set("/key", fmt.Sprint(i))
		if i%700 == 0 {
			m.checkpoint()
		}
	}
	m.checkpoint()
	m.close()
	r := reopen(t, m.options)
	if got, want := r.Store.View().OldestEvent(), m.store.View().OldestEvent(); got != want {
		t.Errorf("oldest event %d, want %d", got, want)
	}
	before, after := m.store.TakeDelta(), r.Store.TakeDelta()
	if before.Events.Len() != 0 || after.Events.Len() != 0 || len(after.Changed) != 0 {
		t.Errorf("a loaded tree has changes: %d events, %d paths", after.Events.Len(), len(after.Changed))
	}
}

func TestReturnedDelta(t *testing.T) {
	m := newMember(t)
	m.set("/a/1", "x")
	c := m.position()
	m.store.ReturnDelta(c.Delta)
	m.remove("/a")
	m.checkpoint()
	m.close()
	if got, want := dump(reopen(t, m.options).Store), dump(m.store); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRelease(t *testing.T) {
	m := newMember(t)
	value := strings.Repeat("v", 4000)
	count := func() int {
		list, err := segments(m.disk.paths.wal)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	for range 100 {
		m.set("/key", value)
	}
	if n := count(); n < 5 {
		t.Fatalf("%d segments before the checkpoint", n)
	}
	if size := m.disk.WALSize(); size < 400000 || size > 500000 {
		t.Errorf("log size %d", size)
	}
	m.checkpoint()
	if n := count(); n > 2 {
		t.Errorf("%d segments after a checkpoint", n)
	}
	if size := m.disk.WALSize(); size != 0 {
		t.Errorf("log size %d after a checkpoint", size)
	}
	m.set("/key", "last")
	m.close()
	if got, want := dump(reopen(t, m.options).replay()), dump(m.store); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLock(t *testing.T) {
	m := newMember(t)
	m.settle()
	before := hashDir(t, m.dir())
	for name, try := range map[string]func() error{
		"open":   func() error { _, _, err := Open(m.options); return err },
		"create": func() error { return lockOnly(m.disk.paths.lock) },
	} {
		err := try()
		if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), m.dir()) || !strings.Contains(err.Error(), "another process") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if hashDir(t, m.dir()) != before {
		t.Error("the directory has changed")
	}
}

func lockOnly(path string) error {
	l, err := lockDir(path)
	if err == nil {
		l.undo()
	}
	return err
}

func TestClosed(t *testing.T) {
	m := newMember(t)
	m.set("/a", "b")
	m.close()
	if err := m.disk.Append(&raftpb.HardState{}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Append: %v", err)
	}
	if _, err := m.disk.Checkpoint(m.position()); !errors.Is(err, ErrClosed) {
		t.Errorf("Checkpoint: %v", err)
	}
}

func TestObservers(t *testing.T) {
	var syncs, checkpoints int
	o := Options{
		DataDir: t.TempDir(), HistorySize: 10,
		ObserveSync:       func(time.Duration) { syncs++ },
		ObserveCheckpoint: func(time.Duration) { checkpoints++ },
	}
	disk, err := Create(o, testIdentity)
	if err != nil {
		t.Fatal(err)
	}
	m := &member{t: t, disk: disk, store: tree.New(10), term: 1, options: o}
	defer m.close()
	m.set("/a", "b")
	m.checkpoint()
	if syncs != 1 || checkpoints != 1 {
		t.Errorf("%d syncs, %d checkpoints", syncs, checkpoints)
	}
}

// TestAppendFailure makes a write fail. All later writes must fail, too.
func TestAppendFailure(t *testing.T) {
	m := newMember(t)
	m.set("/a", "b")
	// With a closed log, a write fails as on a broken disk.
	if err := m.disk.wal.Close(); err != nil {
		t.Fatal(err)
	}
	entry := []*raftpb.Entry{{Index: new(uint64(2)), Term: new(uint64(2)), Type: raftpb.EntryNormal.Enum()}}
	if err := m.disk.Append(nil, entry); err == nil || errors.Is(err, ErrFailed) {
		t.Errorf("first: %v", err)
	}
	if err := m.disk.Append(nil, entry); !errors.Is(err, ErrFailed) {
		t.Errorf("second: %v", err)
	}
	if _, err := m.disk.Checkpoint(m.position()); !errors.Is(err, ErrFailed) {
		t.Errorf("checkpoint: %v", err)
	}
	m.disk.closed = true
	if err := m.disk.lock.release(); err != nil {
		t.Fatal(err)
	}
	if r := reopen(t, m.options); len(r.Entries) != 1 {
		t.Errorf("%d entries", len(r.Entries))
	}
}

func TestWALDir(t *testing.T) {
	o := Options{DataDir: t.TempDir(), WALDir: filepath.Join(t.TempDir(), "x", "log"), HistorySize: 10}
	d, err := Create(o, testIdentity)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(o.DataDir, walName)); !errors.Is(err, os.ErrNotExist) {
		t.Error("there is a log in the data directory")
	}
	reopen(t, o)
	_, _, err = Open(Options{DataDir: o.DataDir, HistorySize: 10})
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "--wal-dir") {
		t.Errorf("without its log: %v", err)
	}
}

// TestNothingMapped expects that state.db is not mapped into memory after it was loaded or
// written.
func TestNothingMapped(t *testing.T) {
	m := newMember(t)
	mapped := func() bool {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Skip("needs /proc")
		}
		return strings.Contains(string(maps), m.disk.paths.state)
	}
	m.set("/a", "b")
	m.checkpoint()
	if mapped() {
		t.Error("the checkpoint is mapped after writing it")
	}
	m.close()
	d, _, err := Open(m.options)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if mapped() {
		t.Error("the checkpoint is mapped after loading it")
	}
}

// TestAppendBesideCheckpoint appends while checkpoints are written. Both must be complete.
func TestAppendBesideCheckpoint(t *testing.T) {
	m := newMember(t)
	done := make(chan error, 1)
	for i := range 12 {
		for j := range 200 {
			m.set(fmt.Sprintf("/%d/%d", j%5, j), fmt.Sprint(i))
		}
		if i > 0 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		c := m.position()
		go func() {
			_, err := m.disk.Checkpoint(c)
			done <- err
		}()
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	m.set("/last", "one")
	m.close()
	r := reopen(t, m.options)
	if len(r.Entries) != 1 {
		t.Errorf("%d entries after the checkpoint", len(r.Entries))
	}
	if got, want := dump(r.replay()), dump(m.store); got != want {
		t.Errorf("got %.300s, want %.300s", got, want)
	}
}
