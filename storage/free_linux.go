package storage

import (
	"math"

	"golang.org/x/sys/unix"
)

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
