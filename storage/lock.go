package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// dirLock keeps other processes out of a data directory. The kernel drops it
// when the process ends, however it ends.
type dirLock struct {
	file    *os.File
	created bool // the file was not there before
}

// lockDir takes the lock of the directory, whose lock file is at path.
func lockDir(path string) (*dirLock, error) {
	for {
		_, err := os.Lstat(path)
		created := errors.Is(err, os.ErrNotExist)
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("storage: lock %s: %w", path, err)
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, fmt.Errorf("storage: %w: another process holds %s: stop it, or choose another --data-dir than %s",
					ErrLocked, path, filepath.Dir(path))
			}
			return nil, fmt.Errorf("storage: lock %s: %w", path, err)
		}
		// A refused start removes the lock file it made; whoever waited on that
		// file holds a lock that nobody else can see, and must try again.
		if sameFile(f, path) {
			return &dirLock{file: f, created: created}, nil
		}
		f.Close()
	}
}

func sameFile(f *os.File, path string) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
}

// release gives the lock back.
func (l *dirLock) release() error { return l.file.Close() }

// undo gives the lock back and leaves the directory as lockDir found it.
func (l *dirLock) undo() {
	if l.created {
		os.Remove(l.file.Name())
	}
	l.file.Close()
}
