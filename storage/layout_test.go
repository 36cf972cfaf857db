package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
)

// unchangedBy calls Exists, Open and Create. Each must return an error of one kind and leave the
// directory unchanged.
func unchangedBy(t *testing.T, o Options, kind error, text string) {
	t.Helper()
	before := hashDir(t, o.DataDir)
	_, existsErr := Exists(o)
	_, _, openErr := Open(o)
	d, createErr := Create(o, testIdentity)
	if createErr == nil {
		d.Close()
	}
	for name, err := range map[string]error{"Exists": existsErr, "Open": openErr, "Create": createErr} {
		// Only Open looks into the checkpoint.
		if name == "Exists" && err == nil || name == "Create" && errors.Is(err, ErrExists) {
			continue
		}
		if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got %v, want %v with %q", name, err, kind, text)
			continue
		}
		refused(t, o, err)
	}
	if !errors.Is(openErr, kind) {
		t.Errorf("Open: %v", openErr)
	}
	if hashDir(t, o.DataDir) != before {
		t.Error("the directory has changed")
	}
}

func writeFile(t *testing.T, content string, elem ...string) {
	t.Helper()
	path := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestForeign(t *testing.T) {
	for _, tc := range []struct {
		name string
		prep func(t *testing.T, dir string)
		kind error
		text string
	}{
		{"etcd", func(t *testing.T, dir string) { writeFile(t, "x", dir, "member", "snap", "db") }, ErrForeign, "etcd"},
		{"someone's files", func(t *testing.T, dir string) { writeFile(t, "x", dir, "thesis.txt") }, ErrForeign, "thesis.txt"},
		{"someone's files beside the log", func(t *testing.T, dir string) { writeFile(t, "x", dir, "wal", "notes") }, ErrForeign, "notes"},
		{"another program's log", func(t *testing.T, dir string) {
			w, err := wal.Create(zap.NewNop(), filepath.Join(dir, walName), []byte("metadata"))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}, ErrForeign, "another program"},
		{"a strange segment", func(t *testing.T, dir string) { writeFile(t, "x", dir, "wal", "1.wal") }, ErrForeign, "1.wal"},
		{"a checkpoint alone", func(t *testing.T, dir string) { writeFile(t, "x", dir, stateName) }, ErrCorrupt, "--wal-dir"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := Options{DataDir: filepath.Join(t.TempDir(), "data"), HistorySize: 10}
			if err := os.Mkdir(o.DataDir, 0o700); err != nil {
				t.Fatal(err)
			}
			tc.prep(t, o.DataDir)
			unchangedBy(t, o, tc.kind, tc.text)
		})
	}
}

// TestFileAsDirectory uses the path of a file, or one below a file, as a directory. The error
// must not be one of damage.
func TestFileAsDirectory(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, "x", dir, "file")
	for name, o := range map[string]Options{
		"the data":       {DataDir: filepath.Join(dir, "file")},
		"above the data": {DataDir: filepath.Join(dir, "file", "a", "b")},
		"the log":        {DataDir: filepath.Join(dir, "data"), WALDir: filepath.Join(dir, "file")},
		"above the log":  {DataDir: filepath.Join(dir, "data"), WALDir: filepath.Join(dir, "file", "wal")},
	} {
		t.Run(name, func(t *testing.T) {
			_, existsErr := Exists(o)
			_, _, openErr := Open(o)
			_, createErr := Create(o, testIdentity)
			for way, err := range map[string]error{"Exists": existsErr, "Open": openErr, "Create": createErr} {
				text := filepath.Join(dir, "file") + ": not a directory; choose another directory"
				if !errors.Is(err, syscall.ENOTDIR) || !strings.Contains(err.Error(), text) {
					t.Errorf("%s: got %v", way, err)
				}
			}
		})
	}
}

// TestForeignMeta changes one value of the bucket meta.
func TestForeignMeta(t *testing.T) {
	for _, tc := range []struct {
		name  string
		key   []byte
		value []byte
		kind  error
		text  string
	}{
		{"a newer format", formatKey, appendWords(nil, unfinishedLevelFormat+1), ErrNewerFormat, "format 6"},
		{"an older format", formatKey, appendWords(nil, oldestFormat-1), ErrOlderFormat, "format 0"},
		{"another member", identityKey, appendWords(nil, testIdentity.ClusterID, 7), ErrForeign, "member 7"},
		{"another cluster", identityKey, appendWords(nil, 7, testIdentity.MemberID), ErrForeign, "cluster 7"},
		{"ahead of the log", positionKey, appendWords(nil, 1000, 2), ErrCorrupt, "older than state.db"},
		{"after the log", positionKey, appendWords(nil, 1, 2), ErrCorrupt, "the checkpoint at entry 1"},
		{"another term", positionKey, appendWords(nil, 3, 9), ErrCorrupt, "term"},
		{"no members", membersKey, nil, ErrCorrupt, "members"},
		{"an unknown key", []byte("new"), []byte("x"), ErrCorrupt, "new"},
		{"a short identity", identityKey, []byte("x"), ErrCorrupt, "identity"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMember(t)
			for range 3 {
				m.set("/a", "b")
			}
			m.checkpoint()
			m.set("/c", "d")
			m.close()
			db, err := openBolt(m.disk.paths.state, 0)
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(func(tx *bbolt.Tx) error {
				if tc.value == nil {
					return tx.Bucket(metaBucket).Delete(tc.key)
				}
				return putSealed(tx.Bucket(metaBucket), tc.key, tc.value)
			})
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			unchangedBy(t, m.options, tc.kind, tc.text)
		})
	}
}

// TestLogFormats opens logs of formats that this program does not read. The error must say
// whether an older or a newer Pando wrote the log.
func TestLogFormats(t *testing.T) {
	for name, tc := range map[string]struct {
		format uint64
		kind   error
	}{
		"older": {oldestFormat - 1, ErrOlderFormat},
		"newer": {logFormat + 1, ErrNewerFormat},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMember(t)
			m.close()
			dir := filepath.Join(m.dir(), walName)
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			head := encodeMetadata(testIdentity)
			copy(head[len(walMagic):], appendWords(nil, tc.format))
			w, err := wal.Create(zap.NewNop(), dir, head)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			unchangedBy(t, m.options, tc.kind, fmt.Sprintf("format %d", tc.format))
		})
	}
}

// TestMissing removes files.
func TestMissing(t *testing.T) {
	for _, tc := range []struct {
		name   string
		remove func(t *testing.T, m *member) string
		text   string
	}{
		{"the checkpoint", func(_ *testing.T, m *member) string { return m.disk.paths.state }, stateName},
		{"the log", func(_ *testing.T, m *member) string { return m.disk.paths.wal }, "--wal-dir"},
		{"a segment in the middle", func(t *testing.T, m *member) string {
			list, err := segments(m.disk.paths.wal)
			if err != nil || len(list) < 3 {
				t.Fatalf("%d segments, %v", len(list), err)
			}
			return list[len(list)-2].path
		}, "segment between"},
		{"the first segment", func(t *testing.T, m *member) string {
			list, err := segments(m.disk.paths.wal)
			if err != nil {
				t.Fatal(err)
			}
			return list[0].path
		}, "reaches back"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMember(t)
			for range 60 {
				m.set("/a", strings.Repeat("v", 4000))
			}
			m.close()
			if err := os.RemoveAll(tc.remove(t, m)); err != nil {
				t.Fatal(err)
			}
			unchangedBy(t, m.options, ErrCorrupt, tc.text)
		})
	}
}

// TestUnlockedCopy opens damaged data that has no lock file. Open must not make one.
func TestUnlockedCopy(t *testing.T) {
	m := newMember(t)
	m.close()
	if err := os.Remove(m.disk.paths.lock); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(m.disk.paths.state, 5000); err != nil {
		t.Fatal(err)
	}
	unchangedBy(t, m.options, ErrCorrupt, stateName)
}
