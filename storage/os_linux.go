package storage

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// adviseWillNeed asks the kernel to read the whole file ahead. Loading reads the pages in the
// order of the keys, which would be one seek for each page.
func adviseWillNeed(f *os.File) {
	// After an error loading takes longer.
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_WILLNEED)
}

// freeBytes is the number of bytes that can still be written in the file system of dir.
func freeBytes(dir string) int64 {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return math.MaxInt64 // not known: a write may fail
	}
	if blocks := uint64(math.MaxInt64 / max(s.Bsize, 1)); s.Bavail > blocks {
		return math.MaxInt64
	}
	return int64(s.Bavail) * s.Bsize
}

// marksUnwritten reports whether the file system of f marks blocks that are allocated and were
// never written. In other file systems zeros do not help.
func marksUnwritten(f *os.File) bool {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return false
	}
	return fs.Type == unix.EXT4_SUPER_MAGIC || fs.Type == unix.XFS_SUPER_MAGIC
}

// startWriteback makes the kernel begin to write a part of f to the disk.
func startWriteback(f *os.File, at, n int64) {
	// After an error a later sync takes longer.
	_ = unix.SyncFileRange(int(f.Fd()), at, n, unix.SYNC_FILE_RANGE_WRITE)
}
