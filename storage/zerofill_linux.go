package storage

import (
	"os"

	"golang.org/x/sys/unix"
)

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
