package storage

import "errors"

// The kinds of errors that Open, Create and Exists return, to be asked for with
// errors.Is. None of them has changed anything on disk.
var (
	// ErrLocked means that another process uses the data directory.
	ErrLocked = errors.New("data directory is in use")
	// ErrCorrupt means that a file does not hold what was written to it, or
	// that files are missing.
	ErrCorrupt = errors.New("data is damaged")
	// ErrForeign means that the directory holds something else than one
	// member's data: another program's files, or parts of two members.
	ErrForeign = errors.New("not this member's data")
	// ErrNewerFormat means that a newer Pando wrote the data.
	ErrNewerFormat = errors.New("data of a newer version")
	// ErrOlderFormat means that an older Pando wrote the data, in a format that is
	// no longer read.
	ErrOlderFormat = errors.New("data of an older version")
	// ErrNoData means that Open found no member's data.
	ErrNoData = errors.New("no data")
	// ErrExists means that Create found a member's data.
	ErrExists = errors.New("data exists")
)

// The kinds of errors of a Disk at work.
var (
	// ErrFailed means that a write failed earlier. What is on disk behind it is
	// not known, so the Disk takes no more; the process must stop, and start
	// again when the disk is well.
	ErrFailed = errors.New("an earlier write failed")
	// ErrClosed means that the Disk was closed.
	ErrClosed = errors.New("storage is closed")
)

// restoreAdvice ends errors about damage.
const restoreAdvice = "restore the data directory from a backup, or remove the member and add it again with an empty one"
