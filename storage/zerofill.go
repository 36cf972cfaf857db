package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/storage/wal"
)

// zeroFill writes zeros over the log's next segment before the log comes to it.
//
// The log allocates its segments ahead, but some file systems mark what was never
// written: the first write to a block takes the mark away, and its sync waits for the
// file system's journal besides. Where zeros were written before, a sync of whole
// blocks, as they come under load, takes a third less time and processor time.
//
// It touches a segment only as long as that has the name of a temporary file, under
// which the wal package keeps it for later, and works in Append alone: nothing else
// makes the log go on to its next segment. So it can't write over a record. Nothing
// relies on the zeros, so they are never synced.
type zeroFill struct {
	dir  string   // of the log
	owed int64    // bytes to write for those that were appended
	file *os.File // the next segment; held until the log uses it, so that no other file gets its inode
	at   int64    // how far it is filled
	off  bool     // nothing is won here, or it failed
	// helps reports whether a file is in a file system in which zeros help.
	helps func(*os.File) bool
}

const (
	// zeroRate is how many zeros are written for each byte that is appended. They slow
	// the syncs meanwhile; the sooner they are written, the fewer.
	zeroRate = 8
	// zeroStep is how many are written at once.
	zeroStep = 256 << 10
)

var zeros [zeroStep]byte

// appended does the filling that is due after that many bytes were appended. An error
// means that it does no more.
func (z *zeroFill) appended(bytes int) error {
	if z.off {
		return nil
	}
	if err := z.fill(bytes); err != nil {
		z.off = true
		z.close()
		return fmt.Errorf("storage: write zeros ahead of the log: %w", err)
	}
	return nil
}

func (z *zeroFill) fill(bytes int) error {
	for z.owed += zeroRate * int64(bytes); z.owed >= zeroStep; z.owed -= zeroStep {
		left, err := z.left()
		if err != nil || left == 0 { // the next segment is full, or not there yet
			z.owed = 0
			return err
		}
		if err := z.step(min(zeroStep, left)); err != nil {
			return err
		}
	}
	return nil
}

// step writes the next zeros and has the kernel write them to the disk soon: else a
// sync of the log would find them all to do.
func (z *zeroFill) step(n int64) error {
	if _, err := z.file.WriteAt(zeros[:n], z.at); err != nil {
		return err
	}
	startWriteback(z.file, z.at, n)
	z.at += n
	return nil
}

// left is how much of the next segment is to be filled; nothing if there is none.
func (z *zeroFill) left() (int64, error) {
	if z.file != nil && !z.unused() {
		z.close()
	}
	if z.file == nil {
		if err := z.open(); err != nil || z.file == nil {
			return 0, err
		}
	}
	return wal.SegmentSizeBytes - z.at, nil
}

// unused reports whether the segment still waits for its use.
func (z *zeroFill) unused() bool {
	held, err := z.file.Stat()
	named, err2 := os.Stat(z.file.Name())
	return err == nil && err2 == nil && os.SameFile(held, named)
}

// open takes the segment that waits, if one does. One that has not its full size is
// just being allocated.
func (z *zeroFill) open() error {
	names, err := filepath.Glob(filepath.Join(z.dir, "[01]"+tempSuffix))
	if err != nil || len(names) == 0 {
		return err
	}
	f, err := os.OpenFile(names[0], os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	z.off = !z.helps(f)
	if err != nil || z.off || info.Size() < wal.SegmentSizeBytes {
		return errors.Join(err, f.Close())
	}
	z.file, z.at = f, 0
	return nil
}

func (z *zeroFill) close() {
	if z.file != nil {
		_ = z.file.Close() // nothing in it matters
		z.file = nil
	}
}
