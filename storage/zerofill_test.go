package storage

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/etcd/server/v3/storage/wal"
)

// zeroFillAlways makes a zeroFill that works on any file system.
func zeroFillAlways(t *testing.T, dir string) *zeroFill {
	t.Helper()
	z := &zeroFill{dir: dir, helps: func(*os.File) bool { return true }}
	t.Cleanup(z.close)
	return z
}

// waitingSegment makes a next segment, filled with ones.
func waitingSegment(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, bytes.Repeat([]byte{1}, int(wal.SegmentSizeBytes)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// zerosIn counts the zeros at the beginning of a segment. The test fails if the size of the
// segment has changed, or if there are zeros elsewhere.
func zerosIn(t *testing.T, path string) int {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil || len(data) != int(wal.SegmentSizeBytes) {
		t.Fatalf("%s: %d bytes, %v", path, len(data), err)
	}
	rest := bytes.TrimLeft(data, "\x00")
	if bytes.IndexByte(rest, 0) >= 0 {
		t.Fatalf("%s has zeros that are not at its beginning", path)
	}
	return len(data) - len(rest)
}

func longSegments(t *testing.T) {
	old := wal.SegmentSizeBytes
	wal.SegmentSizeBytes = 5*zeroStep/2 + 8
	t.Cleanup(func() { wal.SegmentSizeBytes = old })
}

func TestZeroFill(t *testing.T) {
	longSegments(t)
	dir := t.TempDir()
	z := zeroFillAlways(t, dir)
	appended := func(bytes int) {
		t.Helper()
		if err := z.appended(bytes); err != nil {
			t.Fatal(err)
		}
	}
	waiting, used := filepath.Join(dir, "0.tmp"), filepath.Join(dir, "0-0.wal")

	appended(zeroStep) // there is no next segment yet
	waitingSegment(t, waiting)
	appended(zeroStep/zeroRate - 1)
	if n := zerosIn(t, waiting); n != 0 {
		t.Errorf("%d bytes are filled before any are due", n)
	}
	appended(1)
	if n := zerosIn(t, waiting); n != zeroStep {
		t.Errorf("%d bytes are filled, want %d", n, zeroStep)
	}
	if err := os.Rename(waiting, used); err != nil {
		t.Fatal(err)
	}
	appended(zeroStep)
	if n := zerosIn(t, used); n != zeroStep {
		t.Errorf("a segment in use was filled up to %d", n)
	}

	waiting = filepath.Join(dir, "1.tmp")
	waitingSegment(t, waiting)
	for range 3 { // more than the segment needs
		appended(zeroStep)
	}
	if n := zerosIn(t, waiting); n != int(wal.SegmentSizeBytes) {
		t.Errorf("%d bytes of the next segment are filled, want all", n)
	}
}

// TestZeroFillWaits finds a segment that is just being allocated, which must not be changed.
func TestZeroFillWaits(t *testing.T) {
	longSegments(t)
	dir := t.TempDir()
	z := zeroFillAlways(t, dir)
	path := filepath.Join(dir, "0.tmp")
	if err := os.WriteFile(path, []byte{1, 1}, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := z.appended(zeroStep); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, []byte{1, 1}) {
		t.Errorf("the segment holds %v, error %v", data, err)
	}
}

// TestZeroFillStops makes a write of zeros fail. No more zeros are written, and nothing else
// fails.
func TestZeroFillStops(t *testing.T) {
	longSegments(t)
	z := zeroFillAlways(t, t.TempDir())
	waitingSegment(t, filepath.Join(z.dir, "0.tmp"))
	if err := z.appended(zeroStep / zeroRate); err != nil {
		t.Fatal(err)
	}
	z.file.Close()
	z.file, _ = os.Open(z.file.Name()) // not for writing
	if err := z.appended(zeroStep); err == nil {
		t.Fatal("a write to a file that is open for reading gives no error")
	}
	if err := z.appended(zeroStep); err != nil || z.file != nil {
		t.Errorf("zeros are still written: file %v, error %v", z.file, err)
	}
}

// TestZerosAhead writes several segments that were filled with zeros, and reads them back.
func TestZerosAhead(t *testing.T) {
	longSegments(t)
	m := newMember(t)
	m.disk.zeros.helps = func(*os.File) bool { return true }
	data, written := bytes.Repeat([]byte{7}, 50<<10), 0
	for range 120 {
		m.append(data)
		written = max(written, int(m.disk.zeros.at))
	}
	if written == 0 {
		t.Error("nothing was filled ahead")
	}
	if list, err := segments(m.disk.paths.wal); err != nil || len(list) < 3 {
		t.Fatalf("%d segments, %v", len(list), err)
	}
	m.close()
	r := reopen(t, m.options)
	if len(r.Entries) != 120 || !bytes.Equal(r.Entries[119].GetData(), data) {
		t.Errorf("%d entries come back, want 120", len(r.Entries))
	}
}
