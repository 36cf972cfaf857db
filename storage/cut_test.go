package storage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/etcd/server/v3/storage/wal"
)

// recordEnds returns the offsets at which the records of a segment end.
func recordEnds(t testing.TB, path string) []int64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	r := newFrames(f, info.Size())
	var ends []int64
	for {
		_, err := r.next()
		if errors.Is(err, errNotWhole) || errors.Is(err, io.EOF) {
			return ends
		}
		if err != nil {
			t.Fatal(err)
		}
		r.accept()
		ends = append(ends, r.at)
	}
}

// TestCutLog cuts the log at each byte of its last records, in two ways: the file is zero from
// there on, as a crash leaves it, or the file ends there, which only damage explains. In
// the first case everything before the cut that was acknowledged must come back, and
// nothing else. The log holds several terms.
func TestCutLog(t *testing.T) {
	skipShort(t)
	for _, checkpoint := range []string{"without checkpoint", "after checkpoint"} {
		t.Run(checkpoint, func(t *testing.T) {
			m := newMember(t)
			if checkpoint == "after checkpoint" {
				m.set("/first", "1")
				m.checkpoint()
			}
			from := int64(-1)
			for i, term := range []uint64{2, 2, 3, 3, 5} {
				if from < 0 {
					ends := recordEnds(t, lastSegment(t, m.options))
					from = ends[len(ends)-1]
				}
				m.term = term
				m.set(fmt.Sprintf("/k%d", i), fmt.Sprintf("%*d", 7*i*i, i))
			}
			m.close()
			path := lastSegment(t, m.options)
			ends := recordEnds(t, path)
			for offset := from; offset <= ends[len(ends)-1]; offset++ {
				checkShort(t, m, offset)
				if offset%sectorBytes == 0 || slices.Contains(ends, offset) { // a disk makes no other cuts
					checkCut(t, m, offset)
				}
			}
		})
	}
}

// writtenAt returns the last entry and the commit index of a log whose last segment is cut at
// offset. Entries whose term is higher than that of the last hard state were not
// acknowledged.
func writtenAt(t testing.TB, path string, offset int64) (entries, commit uint64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var last, term uint64
	for r := newFrames(f, offset); ; r.accept() {
		rec, err := r.next()
		if err != nil {
			break
		}
		switch rec.kind {
		case wal.EntryType:
			e, _ := parseEntry(rec.data)
			if last = e.index; e.term <= term {
				entries = last
			}
		case wal.StateType:
			s, _ := parseHardState(rec.data)
			entries, term, commit = last, s.term, s.commit
		}
	}
	return entries, commit
}

// checkShort expects an error for a log whose last segment ends at offset.
func checkShort(t *testing.T, m *member, offset int64) {
	t.Helper()
	o := copyDir(t, m.dir())
	path := lastSegment(t, o)
	if err := os.Truncate(path, offset); err != nil {
		t.Fatal(err)
	}
	before := stamp(t, o)
	_, _, err := Open(o)
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) {
		t.Fatalf("cut short at %d: %v", offset, err)
	}
	refused(t, o, err)
	if after := stamp(t, o); after != before {
		t.Fatalf("cut short at %d: a refused start has changed the directory from %s to %s", offset, before, after)
	}
}

// checkCut opens a log whose last segment is zero from offset on.
func checkCut(t *testing.T, m *member, offset int64) {
	t.Helper()
	o := copyDir(t, m.dir())
	path := lastSegment(t, o)
	if err := errors.Join(os.Truncate(path, offset), os.Truncate(path, wal.SegmentSizeBytes)); err != nil {
		t.Fatal(err)
	}
	want, commit := writtenAt(t, path, offset)
	r := reopen(t, o)
	got := r.Applied + uint64(len(r.Entries))
	if got != want || r.HardState.GetCommit() != max(commit, r.Applied) {
		t.Fatalf("cut at %d: entries up to %d with commit %d, want %d and %d", offset, got, r.HardState.GetCommit(), want, commit)
	}
	if index := r.replay().View().Index(); index != want+1 {
		t.Fatalf("cut at %d: index %d", offset, index)
	}
	// The member goes on with what was recovered.
	d, _, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	again := &member{t: t, options: o, disk: d, store: r.Store, index: got, term: m.term + 1}
	again.set("/after", "the crash")
	again.checkpoint()
	again.close()
	if got, want := dump(reopen(t, o).replay()), dump(again.store); got != want {
		t.Fatalf("cut at %d: got %s, want %s", offset, got, want)
	}
}
