package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// dirLock keeps other processes from using a data directory. The kernel releases it when the
// process ends, for any reason.
type dirLock struct {
	file    *os.File
	created bool // lockDir made the file
}

// lockDir locks the data directory whose lock file is path. It does not wait for the lock.
func lockDir(path string) (*dirLock, error) {
	for {
		_, err := os.Lstat(path)
		created := errors.Is(err, os.ErrNotExist)
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("storage: lock %s: %w", path, err)
		}
		if err := tryLock(f); err != nil {
			f.Close()
			if errors.Is(err, ErrLocked) {
				err = fmt.Errorf("%w: stop it, or choose another --data-dir than %s", err, filepath.Dir(path))
			}
			return nil, err
		}
		// Between OpenFile and Flock, a process whose start was refused may have removed the
		// file (see undo). Then no other process can find the file that is locked here.
		if sameFile(f, path) {
			return &dirLock{file: f, created: created}, nil
		}
		f.Close()
	}
}

// lockUnchanged locks a data directory without a write to it. It returns nil if there is no lock file: then no member runs.
func lockUnchanged(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("storage: lock %s: %w", path, err)
	}
	if err := tryLock(f); err != nil {
		f.Close()
		if errors.Is(err, ErrLocked) {
			err = fmt.Errorf("%w: stop it first", err)
		}
		return nil, err
	}
	return f, nil
}

// tryLock locks a lock file. It returns ErrLocked if another process has locked it.
func tryLock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		return fmt.Errorf("storage: %w: another process holds %s", ErrLocked, f.Name())
	}
	return fmt.Errorf("storage: lock %s: %w", f.Name(), err)
}

// sameFile reports whether f is the file that path names.
func sameFile(f *os.File, path string) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
}

// release unlocks the directory.
func (l *dirLock) release() error { return l.file.Close() }

// undo unlocks the directory and leaves it as lockDir found it.
func (l *dirLock) undo() {
	if l.created {
		os.Remove(l.file.Name())
	}
	l.file.Close()
}
