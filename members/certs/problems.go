package certs

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// FileError is an error of a file.
type FileError struct {
	Setting string // the name of the setting, such as "--cert-file"
	File    string // the path
	Reason  error  // what is wrong, with what to do about it
}

func (e *FileError) Error() string {
	if e.File == "" {
		return fmt.Sprintf("%s: %v", e.Setting, e.Reason)
	}
	return fmt.Sprintf("%s: %s: %v", e.Setting, e.File, e.Reason)
}

func (e *FileError) Unwrap() error { return e.Reason }

// Severity is the effect of a Problem.
type Severity int

// The severities of problems.
const (
	// Warning does not prevent a start, but some connections may fail, now or later.
	Warning Severity = iota
	// Fatal prevents a start.
	Fatal
)

// Problem is something that is wrong with a file.
type Problem struct {
	Severity Severity
	Err      *FileError
}

// errPair is the reason of a FileError if only a certificate or only a key is given.
var errPair = errors.New("is not given; the certificate and its key must both be present")

// readError returns the reason for an error of reading a file.
func readError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("the file does not exist")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("this user may not read the file")
	case errors.Is(err, syscall.EISDIR):
		return errors.New("is a directory, not a file")
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
