package storage

import "errors"

// The kinds of errors that Open, Create and Exists return, for errors.Is. When one of them
// is returned, nothing on disk has changed.
var (
	// ErrLocked means that another process uses the data directory.
	ErrLocked = errors.New("data directory is in use")
	// ErrCorrupt means that the content of a file is not what was written, or that files
	// are missing.
	ErrCorrupt = errors.New("data is damaged")
	// ErrForeign means that the directory does not hold the data of one member: it holds
	// files of another program, or files of two members.
	ErrForeign = errors.New("not this member's data")
	// ErrNewerFormat means that a newer Pando wrote the data.
	ErrNewerFormat = errors.New("data of a newer version")
	// ErrOlderFormat means that an older Pando wrote the data, in a format that this
	// program does not read any more.
	ErrOlderFormat = errors.New("data of an older version")
	// ErrNoData means that Open found no member's data.
	ErrNoData = errors.New("no data")
	// ErrExists means that Create found a member's data.
	ErrExists = errors.New("data exists")
)

// The kinds of errors that the methods of an open Disk return.
var (
	// ErrFailed means that an earlier write failed. What is on disk after it is not known,
	// so the Disk refuses all further writes. The process must stop, and start again when
	// the disk works.
	ErrFailed = errors.New("an earlier write failed")
	// ErrClosed means that the Disk was closed.
	ErrClosed = errors.New("storage is closed")
)

// restoreAdvice is the last part of errors about damage.
const restoreAdvice = "restore the data directory from a backup, or remove the member and add it again with an empty one"
