package storage

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pando/tree"
)

// saveSnapshot writes the member's checkpoint to a snapshot file.
func (m *member) saveSnapshot() string {
	m.t.Helper()
	m.checkpoint()
	r, err := m.disk.ReadSnapshot()
	if err != nil {
		m.t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil || int64(len(data)) != r.Size {
		m.t.Fatalf("%d bytes of %d, %v", len(data), r.Size, err)
	}
	if err := r.Close(); err != nil {
		m.t.Error(err)
	}
	return snapshotOf(m.t, data)
}

func snapshotOf(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "snapshot")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInspectSnapshot(t *testing.T) {
	m := newMember(t)
	m.set("/a/b", "value")
	m.set("/c", "")
	info, err := InspectSnapshot(m.saveSnapshot())
	if err != nil {
		t.Fatal(err)
	}
	if info.Identity != testIdentity || info.Applied != m.index || info.Term != m.term || string(info.Members) != "members" {
		t.Errorf("got %+v, want entry %d of term %d of %v", info, m.index, m.term, testIdentity)
	}
	if info.Nodes != 3 || info.Index != 3 || info.Events != 2 || info.TreeBytes != int64(len("/a/a/b/c")+len("value")) {
		t.Errorf("got %+v, want 3 nodes, 2 events, index 3", info)
	}
}

// TestSnapshotDamage changes each byte of a small file, and cuts it at each byte. It does the
// same at some bytes of a file with a real checkpoint.
func TestSnapshotDamage(t *testing.T) {
	m := newMember(t)
	m.set("/a", "value")
	whole, err := os.ReadFile(m.saveSnapshot())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("every byte of a small one", func(t *testing.T) { damageSnapshot(t, appendTrailer([]byte("small"), snapshotVersion), 1) })
	t.Run("some bytes of a real one", func(t *testing.T) { damageSnapshot(t, whole, len(whole)/50) })
	t.Run("a file of something else", func(t *testing.T) {
		if _, err := InspectSnapshot(snapshotOf(t, bytes.Repeat([]byte("text "), 100))); !errors.Is(err, ErrCorrupt) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a newer version", func(t *testing.T) {
		// Of a later version only the checksum is known.
		content := whole[:len(whole)-trailerBytes]
		newer := appendTrailer(content, snapshotVersion+1)
		if _, err := InspectSnapshot(snapshotOf(t, newer)); !errors.Is(err, ErrNewerFormat) {
			t.Errorf("got %v, want %v", err, ErrNewerFormat)
		}
	})
	t.Run("an intact trailer after a damaged checkpoint", func(t *testing.T) {
		content := bytes.Clone(whole[:len(whole)-trailerBytes])
		at := bytes.Index(content, []byte("value"))
		content[at]++
		if _, err := InspectSnapshot(snapshotOf(t, appendTrailer(content, snapshotVersion))); !errors.Is(err, ErrCorrupt) {
			t.Errorf("got %v, want %v", err, ErrCorrupt)
		}
	})
}

// others is a new cluster of two members. Tests restore its first member from a snapshot.
var others = Founding{Identity: Identity{ClusterID: 77, MemberID: 5}, Voters: []uint64{5, 6}, Members: []byte("others")}

// restored restores a member of the cluster others from a snapshot file.
func restored(t *testing.T, file string) Options {
	t.Helper()
	o := Options{DataDir: filepath.Join(t.TempDir(), "new", "data"), HistorySize: 1000}
	if err := Restore(o, file, others); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestRestore(t *testing.T) {
	m := newMember(t)
	m.write(tree.Command{Op: tree.OpSet, Path: "/kept", Value: "1", Expires: 1 << 62}, tree.Command{Op: tree.OpSet, Path: "/d/e"})
	file, want := m.saveSnapshot(), dump(m.store)
	t.Run("opens as the new member", func(t *testing.T) {
		r := reopen(t, restored(t, file))
		if got := dump(r.Store); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if r.Identity != others.Identity || string(r.Members) != "others" || len(r.ConfState.GetVoters()) != 2 {
			t.Errorf("got %+v", r)
		}
		hs := r.HardState
		if r.Applied != m.index || r.Term != m.term || len(r.Entries) != 0 ||
			hs.GetTerm() != m.term || hs.GetCommit() != m.index || hs.GetVote() != 0 {
			t.Errorf("entry %d of term %d, hard state %v, %d entries", r.Applied, r.Term, hs, len(r.Entries))
		}
		if r.Store.View().OldestEvent() != m.store.View().OldestEvent() {
			t.Errorf("the history begins at %d", r.Store.View().OldestEvent())
		}
	})
	t.Run("with a log of its own directory", func(t *testing.T) {
		o := Options{DataDir: filepath.Join(t.TempDir(), "data"), WALDir: filepath.Join(t.TempDir(), "log"), HistorySize: 1000}
		if err := Restore(o, file, others); err != nil {
			t.Fatal(err)
		}
		if got := dump(reopen(t, o).Store); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestRefusedRestore(t *testing.T) {
	t.Run("refuses a member's data", func(t *testing.T) {
		m := newMember(t)
		m.set("/kept", "1")
		file := m.saveSnapshot()
		o := restored(t, file)
		before := hashDir(t, o.DataDir)
		if err := Restore(o, file, others); !errors.Is(err, ErrExists) {
			t.Errorf("got %v, want %v", err, ErrExists)
		}
		if hashDir(t, o.DataDir) != before {
			t.Error("the data has changed")
		}
	})
	t.Run("a damaged file leaves nothing", func(t *testing.T) {
		o := Options{DataDir: filepath.Join(t.TempDir(), "data"), HistorySize: 1000}
		if err := Restore(o, snapshotOf(t, []byte("no snapshot")), others); !errors.Is(err, ErrCorrupt) {
			t.Errorf("got %v, want %v", err, ErrCorrupt)
		}
		if _, err := os.Stat(o.DataDir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the directory was created: %v", err)
		}
	})
	t.Run("an empty checkpoint", func(t *testing.T) {
		empty := newMember(t)
		r, err := empty.disk.ReadSnapshot()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{DataDir: filepath.Join(t.TempDir(), "data"), HistorySize: 1000}
		if err := Restore(o, snapshotOf(t, data), others); !errors.Is(err, ErrCorrupt) {
			t.Errorf("got %v, want %v", err, ErrCorrupt)
		}
	})
}

// TestStageBesideCheckpoint receives a checkpoint while state.db can't be read, as in the middle
// of a checkpoint.
func TestStageBesideCheckpoint(t *testing.T) {
	from, to := newMember(t), newMember(t)
	from.set("/a", "value")
	from.checkpoint()
	to.set("/b", "old")
	to.checkpoint()
	state, err := os.ReadFile(to.disk.paths.state)
	if err != nil {
		t.Fatal(err)
	}
	writeAt(t, to.disk.paths.state, 0, make([]byte, len(state)))
	r, err := from.disk.ReadCheckpoint()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	staged, err := to.disk.Stage(r, r.Size)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := dump(staged.Store), dump(from.store); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := to.disk.Install(staged); err != nil {
		t.Fatal(err)
	}
}

// TestCrashInRestore stops Restore after each of its steps but the last. Exists must report
// false, and Restore must begin anew.
func TestCrashInRestore(t *testing.T) {
	m := newMember(t)
	m.set("/a", "value")
	file, want := m.saveSnapshot(), dump(m.store)
	founding := Founding{Identity: Identity{ClusterID: 77, MemberID: 5}, Voters: []uint64{5}}
	state, temp := stateName, stateName+tempSuffix
	for name, undo := range map[string]func(dir string) error{
		"without the last rename": func(dir string) error {
			return os.Rename(filepath.Join(dir, state), filepath.Join(dir, temp))
		},
		"without the log": func(dir string) error {
			return errors.Join(os.Rename(filepath.Join(dir, state), filepath.Join(dir, temp)), os.RemoveAll(filepath.Join(dir, walName)))
		},
		"with half a checkpoint": func(dir string) error {
			return errors.Join(os.Rename(filepath.Join(dir, state), filepath.Join(dir, temp)), os.RemoveAll(filepath.Join(dir, walName)),
				os.Truncate(filepath.Join(dir, temp), 5000))
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{DataDir: filepath.Join(t.TempDir(), "data"), HistorySize: 1000}
			if err := Restore(o, file, founding); err != nil {
				t.Fatal(err)
			}
			if err := undo(o.DataDir); err != nil {
				t.Fatal(err)
			}
			if there, err := Exists(o); there || err != nil {
				t.Fatalf("Exists: %v, %v", there, err)
			}
			if err := Restore(o, file, founding); err != nil {
				t.Fatal(err)
			}
			if got := dump(reopen(t, o).Store); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	t.Run("a log in use is not taken for an unfinished one", func(t *testing.T) {
		used := copyDir(t, m.dir())
		if err := os.Rename(filepath.Join(used.DataDir, state), filepath.Join(used.DataDir, temp)); err != nil {
			t.Fatal(err)
		}
		used.WALDir = filepath.Join(copyDir(t, newUsedMember(t).dir()).DataDir, walName)
		if _, err := Exists(used); !errors.Is(err, ErrCorrupt) {
			t.Errorf("got %v, want %v", err, ErrCorrupt)
		}
	})
}

// newUsedMember makes a member with entries that are not in a checkpoint.
func newUsedMember(t *testing.T) *member {
	m := newMember(t)
	m.set("/precious", "1")
	return m
}

// appendTrailer makes the content of a snapshot file from that of a checkpoint.
func appendTrailer(content []byte, version uint64) []byte {
	head := appendWords([]byte(snapshotMagic), version, uint64(len(content)))
	file := append(bytes.Clone(content), head...)
	sum := sha256.Sum256(file)
	return append(file, sum[:]...)
}

// damageSnapshot changes every step-th byte of a file, one at a time, and cuts the file there.
// Each damage must be noticed.
func damageSnapshot(t *testing.T, whole []byte, step int) {
	path := filepath.Join(t.TempDir(), "damaged")
	check := func(data []byte) error {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := openSnapshot(path)
		if err == nil {
			err = f.Close()
		}
		return err
	}
	if err := check(whole); err != nil {
		t.Fatal(err)
	}
	refused := func(what string, at int, data []byte) {
		t.Helper()
		err := check(data)
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "save a new one") {
			t.Fatalf("%s %d: %v", what, at, err)
		}
	}
	damaged := bytes.Clone(whole)
	for i := 0; i < len(whole); i += step {
		damaged[i] ^= byte(1 + i%255)
		refused("byte", i, damaged)
		damaged[i] = whole[i]
		refused("cut at", i, whole[:i])
	}
	refused("a byte more than", len(whole), append(bytes.Clone(whole), 0))
}
