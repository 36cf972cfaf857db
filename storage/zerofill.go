package storage

import (
	"fmt"
	"io"
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
	for z.owed += zeroRate * int64(bytes); z.owed >= zeroStep; z.owed -= zeroStep {
		switch size, err := z.size(); {
		case err != nil:
			return z.stop(err)
		case z.at >= size: // the next segment is full, or not there yet
			z.owed = 0
			return nil
		default:
			if err := z.step(min(zeroStep, size-z.at)); err != nil {
				return z.stop(err)
			}
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

// size is that of the segment to fill, zero if there is none.
func (z *zeroFill) size() (int64, error) {
	if z.file != nil && z.unused() {
		return wal.SegmentSizeBytes, nil
	}
	z.close()
	return z.open()
}

// unused reports whether the segment still waits for its use.
func (z *zeroFill) unused() bool {
	held, err := z.file.Stat()
	named, err2 := os.Stat(z.file.Name())
	return err == nil && err2 == nil && os.SameFile(held, named)
}

// open takes the segment that waits. One that has not its full size is just being
// allocated.
func (z *zeroFill) open() (int64, error) {
	names, err := filepath.Glob(filepath.Join(z.dir, "[01]"+tempSuffix))
	if err != nil || len(names) == 0 {
		return 0, err
	}
	f, err := os.OpenFile(names[0], os.O_WRONLY, 0)
	if err != nil {
		return 0, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	z.off = !z.helps(f)
	if err != nil || z.off || size < wal.SegmentSizeBytes {
		return 0, f.Close()
	}
	z.file, z.at = f, 0
	return wal.SegmentSizeBytes, nil
}

// stop ends the filling for good.
func (z *zeroFill) stop(err error) error {
	z.off = true
	z.close()
	return fmt.Errorf("storage: write zeros ahead of the log: %w", err)
}

func (z *zeroFill) close() {
	if z.file != nil {
		_ = z.file.Close() // nothing in it matters
		z.file = nil
	}
}
