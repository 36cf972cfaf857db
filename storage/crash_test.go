package storage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"pando/tree/users"
)

// TestTornSectors zeroes one or several sectors of the last write, as a disk leaves them that has
// written only the others.
func TestTornSectors(t *testing.T) {
	m := newMember(t)
	m.set("/acknowledged", "1")
	m.close()
	start := recordEnds(t, lastSegment(t, m.options))
	d, r, err := Open(m.options)
	if err != nil {
		t.Fatal(err)
	}
	again := &member{t: t, options: m.options, disk: d, store: r.replay(), index: 1, term: 2}
	var batch [][]byte
	for i := range 6 {
		batch = append(batch, bytes.Repeat([]byte{byte('a' + i)}, 900))
	}
	again.append(batch...)
	again.close()
	path := lastSegment(t, m.options)
	ends := recordEnds(t, path)
	from, to := start[len(start)-1], ends[len(ends)-1]
	first := (from + sectorBytes - 1) / sectorBytes
	for a := first; a*sectorBytes < to; a++ {
		for b := a + 1; (b-1)*sectorBytes < to; b++ {
			o := copyDir(t, m.dir())
			writeAt(t, lastSegment(t, o), a*sectorBytes, make([]byte, (b-a)*sectorBytes))
			r := reopen(t, o)
			if n := len(r.Entries); n < 1 || n > 7 {
				t.Fatalf("sectors %d to %d: %d entries", a, b, n)
			}
		}
	}
}

// append writes several entries to the log at once, and does not apply them.
func (m *member) append(data ...[]byte) {
	m.t.Helper()
	commit := m.index
	var entries []*raftpb.Entry
	for _, d := range data {
		m.index++
		entries = append(entries, &raftpb.Entry{Index: new(m.index), Term: new(m.term), Type: raftpb.EntryNormal.Enum(), Data: d})
	}
	state := &raftpb.HardState{Term: new(m.term), Vote: new(testIdentity.MemberID), Commit: &commit}
	if err := m.disk.Append(state, entries); err != nil {
		m.t.Fatal(err)
	}
}

func writeAt(t testing.TB, path string, offset int64, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(data, offset); err != nil {
		t.Fatal(err)
	}
}

// TestTornTailIsLogged expects one message that says what was cut off.
func TestTornTailIsLogged(t *testing.T) {
	m := newMember(t)
	m.set("/a", "1")
	m.set("/b", "2")
	m.close()
	path := lastSegment(t, m.options)
	ends := recordEnds(t, path)
	writeAt(t, path, ends[len(ends)-2], make([]byte, ends[len(ends)-1]-ends[len(ends)-2]))
	writeAt(t, path, ends[len(ends)-2]/sectorBytes*sectorBytes+sectorBytes, []byte("begun"))
	core, logs := observer.New(zap.InfoLevel)
	m.options.Logger = zap.New(core)
	reopen(t, m.options)
	if all := logs.All(); len(all) != 1 || all[0].ContextMap()["segment"] != path {
		t.Errorf("got %v", all)
	}
	logs.TakeAll()
	reopen(t, m.options)
	if all := logs.All(); len(all) != 0 {
		t.Errorf("the second start logs %v", all)
	}
}

// TestCrashInCheckpoint stops between the steps of a checkpoint, and between the deletions of
// segments.
func TestCrashInCheckpoint(t *testing.T) {
	m := newMember(t)
	fill := func() {
		for i := range 60 {
			m.set(fmt.Sprintf("/k%d", i%10), fmt.Sprintf("%04000d", i))
		}
	}
	fill()
	m.changeUsers(putUser("ann", "old hash"), putUser("bob", "hash"))
	m.checkpoint()
	fill()
	m.changeUsers(putUser("ann", "new hash"), &users.Change{Op: users.DeleteUser, Name: "bob"})
	want := dump(m.store)
	c := m.position()
	check := func(step string, applied uint64, entries int) {
		t.Helper()
		r := reopen(t, copyDir(t, m.dir()))
		if r.Applied != applied || len(r.Entries) != entries {
			t.Fatalf("%s: %d entries after %d", step, len(r.Entries), r.Applied)
		}
		if got := dump(r.replay()); got != want {
			t.Fatalf("%s: got %.300s, want %.300s", step, got, want)
		}
	}
	check("before", 62, 62)
	if err := m.disk.markLog(c.Applied, c.Term, c.ConfState); err != nil {
		t.Fatal(err)
	}
	check("after the record in the log", 62, 62)
	if _, err := m.disk.writeState(c); err != nil {
		t.Fatal(err)
	}
	check("after the commit", 124, 0)
	list, err := segments(m.disk.paths.wal)
	if err != nil || len(list) < 4 {
		t.Fatalf("%d segments, %v", len(list), err)
	}
	for _, s := range list[:len(list)-3] {
		if err := os.Remove(s.path); err != nil {
			t.Fatal(err)
		}
		check("after removing "+filepath.Base(s.path), 124, 0)
	}
}

// TestFailedCheckpoint expects the checkpoint before to stay valid, and the next one to hold all
// changes.
func TestFailedCheckpoint(t *testing.T) {
	m := newMember(t)
	m.set("/a", "1")
	m.checkpoint()
	m.set("/a", "2")
	if err := os.Rename(m.disk.paths.state, m.disk.paths.state+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(m.disk.paths.state, 0o700); err != nil {
		t.Fatal(err)
	}
	c := m.position()
	before := time.Now()
	if _, err := m.disk.Checkpoint(c); err == nil {
		t.Fatal("a checkpoint without its file succeeded")
	}
	m.store.ReturnDelta(c.Delta)
	since, err := m.disk.CheckpointFailing()
	if err == nil || since.Before(before) || since.After(time.Now()) {
		t.Errorf("checkpoints fail since %v: %v", since, err)
	}
	if _, err := m.disk.Checkpoint(c); err == nil {
		t.Fatal("a second checkpoint without its file succeeded")
	}
	if again, _ := m.disk.CheckpointFailing(); again != since {
		t.Errorf("checkpoints fail since %v, and then since %v", since, again)
	}
	if err := os.Remove(m.disk.paths.state); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(m.disk.paths.state+".away", m.disk.paths.state); err != nil {
		t.Fatal(err)
	}
	if got, want := dump(reopen(t, copyDir(t, m.dir())).replay()), dump(m.store); got != want {
		t.Errorf("after the failure: got %s, want %s", got, want)
	}
	m.set("/b", "3")
	m.checkpoint()
	if since, err := m.disk.CheckpointFailing(); !since.IsZero() || err != nil {
		t.Errorf("after a good checkpoint they fail since %v: %v", since, err)
	}
	if got, want := dump(reopen(t, copyDir(t, m.dir())).Store), dump(m.store); got != want {
		t.Errorf("after the next: got %s, want %s", got, want)
	}
}

// TestCrashInCreate stops Create after each of its steps but the last. Exists must report false,
// and Create must work.
func TestCrashInCreate(t *testing.T) {
	finished := func(t *testing.T, o Options) {
		t.Helper()
		if found, err := Exists(o); found || err != nil {
			t.Fatalf("Exists: %v, %v", found, err)
		}
		if _, _, err := Open(o); !errors.Is(err, ErrNoData) {
			t.Fatalf("Open: %v", err)
		}
		d, err := Create(o, testIdentity)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if r := reopen(t, o); r.Identity != testIdentity || len(r.Entries) != 0 {
			t.Errorf("got %+v", r)
		}
	}
	mkdir := func(t *testing.T, elem ...string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(elem...), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put := func(t *testing.T, content string, elem ...string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(elem...), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name string
		prep func(t *testing.T, o Options)
	}{
		{"nothing", func(*testing.T, Options) {}},
		{"an empty directory", func(t *testing.T, o Options) { mkdir(t, o.DataDir) }},
		{"the lock", func(t *testing.T, o Options) { mkdir(t, o.DataDir); put(t, "", o.DataDir, lockName) }},
		{"part of a log", func(t *testing.T, o Options) {
			mkdir(t, o.DataDir, "wal.tmp")
			put(t, "x", o.DataDir, "wal.tmp", "0000000000000000-0000000000000000.wal")
		}},
		{"the log", func(t *testing.T, o Options) { createLogOnly(t, o) }},
		{"the log and part of the checkpoint", func(t *testing.T, o Options) {
			createLogOnly(t, o)
			put(t, "half", o.DataDir, "state.db.tmp")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := Options{DataDir: filepath.Join(t.TempDir(), "a", "b"), HistorySize: 10}
			tc.prep(t, o)
			finished(t, o)
		})
	}
}

// createLogOnly takes the first step of Create, for another identity.
func createLogOnly(t *testing.T, o Options) {
	t.Helper()
	p, err := o.paths()
	if err != nil {
		t.Fatal(err)
	}
	if err := makeDir(p.dir); err != nil {
		t.Fatal(err)
	}
	d := &Disk{paths: p, options: o, lg: zap.NewNop()}
	w, err := d.createLog(Identity{ClusterID: 1, MemberID: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
