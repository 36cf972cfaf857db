package logging

import (
	"io/fs"
	"os"
	"sync"
)

// File is an append-only file that can be opened again at its path after a program that rotates files has renamed it.
// Its methods may be called from any goroutine.
type File struct {
	path string
	mode fs.FileMode

	mu   sync.Mutex
	file *os.File
}

// OpenFile opens a file for appending. If it does not exist, OpenFile creates it with the mode. The caller must call Close.
func OpenFile(path string, mode fs.FileMode) (*File, error) {
	f := &File{path: path, mode: mode}
	return f, f.Reopen()
}

// Reopen opens the file again, and creates it if it does not exist. After an error the file that was open before is still in use.
func (f *File) Reopen() error {
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, f.mode)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		_ = f.file.Close() // Write does not buffer
	}
	f.file = file
	return nil
}

// Write appends to the file. It does not buffer.
func (f *File) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Write(p)
}

// Sync writes the file to the disk.
func (f *File) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Sync()
}

// Close closes the file. No other method may be called after it.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Close()
}
