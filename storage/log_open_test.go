package storage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/etcd/server/v3/storage/wal"
)

// TestInterruptedOpening stops between the steps of opening a log: its last segment is cut after
// the last record, and then gets its full size again.
func TestInterruptedOpening(t *testing.T) {
	m := newMember(t)
	m.set("/a", "1")
	m.set("/b", "2")
	m.close()
	path := lastSegment(t, m.options)
	ends := recordEnds(t, path)
	end := ends[len(ends)-1]
	for _, tc := range []struct {
		name string
		note openingNote
		size int64
		bad  bool
	}{
		{"before the cut", openingNote{filepath.Base(path), end}, wal.SegmentSizeBytes, false},
		{"after the cut", openingNote{filepath.Base(path), end}, end, false},
		{"growing again", openingNote{filepath.Base(path), end}, end + 4096, false},
		{"cut too early", openingNote{filepath.Base(path), end}, end - 8, true},
		{"records are missing", openingNote{filepath.Base(path), end + 8}, end + 4096, true},
		{"another segment", openingNote{"0000000000000001-0000000000000001.wal", end}, end, true},
		{"no note", openingNote{}, end, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := copyDir(t, m.dir())
			if tc.note.segment != "" {
				if err := writeOpeningNote(filepath.Join(o.DataDir, walName), tc.note); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Truncate(lastSegment(t, o), tc.size); err != nil {
				t.Fatal(err)
			}
			if tc.bad {
				_, _, err := Open(o)
				refused(t, o, err)
				return
			}
			if got, want := dump(reopen(t, o).replay()), dump(m.store); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			info, err := os.Stat(lastSegment(t, o))
			if err != nil || info.Size() != wal.SegmentSizeBytes {
				t.Errorf("the segment has %d bytes, %v", info.Size(), err)
			}
			if note, err := readOpeningNote(filepath.Join(o.DataDir, walName)); note != (openingNote{}) || err != nil {
				t.Errorf("the note is still there: %v, %v", note, err)
			}
		})
	}
}

// TestShortSegmentOfFormat1 opens a log of format 1 whose last segment ends with its last record,
// as earlier versions left it after a torn write.
func TestShortSegmentOfFormat1(t *testing.T) {
	m := newMember(t)
	m.rewriteLog(1)
	m.set("/a", "1")
	m.set("/b", "2")
	m.close()
	path := lastSegment(t, m.options)
	ends := recordEnds(t, path)
	if err := os.Truncate(path, ends[len(ends)-3]); err != nil {
		t.Fatal(err)
	}
	if r := reopen(t, m.options); len(r.Entries) != 1 {
		t.Errorf("got %s", summary(r))
	}
	if info, err := os.Stat(path); err != nil || info.Size() != wal.SegmentSizeBytes {
		t.Errorf("the segment has %d bytes, %v", info.Size(), err)
	}
}

// rewriteLog replaces the member's log by a new one of another format.
func (m *member) rewriteLog(format uint64) {
	m.t.Helper()
	head := encodeMetadata(testIdentity)
	copy(head[len(walMagic):], appendWords(nil, format))
	err := errors.Join(m.disk.wal.Close(), os.RemoveAll(m.disk.paths.wal))
	if err != nil {
		m.t.Fatal(err)
	}
	if m.disk.wal, err = wal.Create(quietLogger(m.disk.lg), m.disk.paths.wal, head); err != nil {
		m.t.Fatal(err)
	}
}

// TestLeftoverSegment opens a log beside an unfinished segment that a crash has left. Nothing of
// that may get into the log.
func TestLeftoverSegment(t *testing.T) {
	m := newMember(t)
	m.set("/a", "1")
	m.close()
	for _, name := range []string{"0.tmp", "1.tmp"} {
		writeFile(t, strings.Repeat("left over ", 100), m.dir(), walName, name)
	}
	m.restart()
	for range 40 { // fills several segments
		m.set("/key", strings.Repeat("v", 4000))
	}
	m.settle()
	o := copyDir(t, m.dir())
	if got, want := dump(reopen(t, o).replay()), dump(m.store); got != want {
		t.Errorf("got %.200s, want %.200s", got, want)
	}
	data, err := os.ReadFile(lastSegment(t, o))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "left over") {
		t.Error("the last segment holds the content of the unfinished one")
	}
}
