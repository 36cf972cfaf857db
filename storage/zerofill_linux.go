package storage

import (
	"os"

	"golang.org/x/sys/unix"
)

// marksUnwritten reports whether f is in a file system that marks what is allocated
// and was never written. One that writes nothing in place, or has no disk, wins nothing
// by zeros.
func marksUnwritten(f *os.File) bool {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return false
	}
	return fs.Type == unix.EXT4_SUPER_MAGIC || fs.Type == unix.XFS_SUPER_MAGIC
}

// startWriteback has the kernel begin to write a part of f to the disk.
func startWriteback(f *os.File, at, n int64) {
	// A refusal costs time at a sync alone.
	_ = unix.SyncFileRange(int(f.Fd()), at, n, unix.SYNC_FILE_RANGE_WRITE)
}
