package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/storage/wal"
)

// zeroFill overwrites the next segment of the log with zeros before the log uses it.
//
// The wal package allocates segments ahead, but some file systems mark blocks that are
// allocated and were never written. The first write to a block removes the mark, and the
// sync of that write waits for the journal of the file system, too. When zeros were
// written before, a sync of several blocks, as it happens under load, takes a third less
// time and processor time.
//
// It writes to a segment only while that has the name of a temporary file, under which the
// wal package keeps it, and only in Append, which is also the only method that makes the
// log use its next segment. So it can't overwrite a record. Nothing depends on the zeros,
// so they are never synced.
type zeroFill struct {
	dir  string   // of the log
	owed int64    // zeros to be written for the bytes that were appended
	file *os.File // the next segment; open until the log uses it, so that no other file gets its inode
	at   int64    // how far the segment is filled
	off  bool     // zeros don't help here, or a write has failed
	// helps reports whether zeros help in the file system of a file.
	helps func(*os.File) bool
}

const (
	// zeroRate is the number of zeros for each byte that is appended. Writing zeros slows
	// down the syncs meanwhile, so a high rate slows down fewer of them.
	zeroRate = 8
	// zeroStep is the number of zeros in one write.
	zeroStep = 256 << 10
)

var zeroBlock [zeroStep]byte

// appended writes the zeros that are due after so many bytes were appended. After an error it
// writes no more.
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
		if err != nil || left == 0 { // the next segment is full, or does not exist yet
			z.owed = 0
			return err
		}
		if err := z.step(min(zeroStep, left)); err != nil {
			return err
		}
	}
	return nil
}

// step writes the next zeros, and makes the kernel write them to the disk soon. Otherwise a
// sync of the log would have to do all of it.
func (z *zeroFill) step(n int64) error {
	if _, err := z.file.WriteAt(zeroBlock[:n], z.at); err != nil {
		return err
	}
	startWriteback(z.file, z.at, n)
	z.at += n
	return nil
}

// left is the number of bytes of the next segment that are not filled yet, or zero if there is
// no next segment.
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

// unused reports whether the segment still has the name of a temporary file.
func (z *zeroFill) unused() bool {
	held, err := z.file.Stat()
	named, err2 := os.Stat(z.file.Name())
	return err == nil && err2 == nil && os.SameFile(held, named)
}

// open opens the next segment, if there is one. One without its full size is just being
// allocated.
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
