package etcdv2

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// isLocked reports whether another open file has a lock on f. It takes no lock. If the file system can't tell, it returns false.
func isLocked(f *os.File) bool {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock)
	return err == nil && lock.Type != unix.F_UNLCK
}
