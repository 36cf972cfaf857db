package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The wal package opens a log by cutting its last segment behind the last record, and
// giving it its size again. A crash between the two leaves a segment that is shorter than
// it was made. Otherwise only damage explains such a segment, and acknowledged writes may
// be in what is missing. So a note beside the segments tells for that long where the
// records end. It has the ending of unfinished files, which the wal package passes over.

const openingName = "opening" + tempSuffix

// opening tells that the log was about to be opened: which segment was the last one, and
// where its records ended. It is zero when the log was not.
type opening struct {
	segment string
	offset  int64
}

// noteOpening writes the note, durably.
func noteOpening(dir string, o opening) error {
	f, err := os.OpenFile(filepath.Join(dir, openingName), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	_, err = fmt.Fprintf(f, "%s %d\n", o.segment, o.offset)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("storage: write %s: %w", f.Name(), err)
	}
	return syncDir(dir)
}

// readOpening reads the note. One that was not finished counts for nothing: the segment
// is cut only when it is.
func readOpening(dir string) (o opening, err error) {
	data, err := os.ReadFile(filepath.Join(dir, openingName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return opening{}, fmt.Errorf("storage: %w", err)
	}
	if n, err := fmt.Sscanf(string(data), "%s %d\n", &o.segment, &o.offset); n != 2 || err != nil {
		return opening{}, nil
	}
	return o, nil
}

// endOpening removes the note, when the segment has its size again.
func endOpening(dir string) error {
	if err := os.Remove(filepath.Join(dir, openingName)); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	return syncDir(dir)
}
