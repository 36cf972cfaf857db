package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// To open a log, the wal package cuts its last segment after the last record and then extends
// it to its full size again. A crash between the two leaves a segment that is too short.
// Without a note, such a segment is damage: the missing end may have held acknowledged writes.
// So a note beside the segments says where the records end. It is written before the log is
// opened. Its name has the suffix of unfinished files, which the wal package ignores.

const openingNoteName = "opening" + tempSuffix

// openingNote says which segment was the last one when the opening of the log began, and
// where its records ended. It is zero when no opening was interrupted.
type openingNote struct {
	segment string
	offset  int64
}

// writeOpeningNote writes the note, durably.
func writeOpeningNote(dir string, n openingNote) error {
	f, err := os.OpenFile(filepath.Join(dir, openingNoteName), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	_, err = fmt.Fprintf(f, "%s %d\n", n.segment, n.offset)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("storage: write %s: %w", f.Name(), err)
	}
	return syncDir(dir)
}

// readOpeningNote reads the note. It ignores one that is not whole: the segment is cut only
// after the note was synced.
func readOpeningNote(dir string) (n openingNote, err error) {
	data, err := os.ReadFile(filepath.Join(dir, openingNoteName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return openingNote{}, fmt.Errorf("storage: %w", err)
	}
	if fields, err := fmt.Sscanf(string(data), "%s %d\n", &n.segment, &n.offset); fields != 2 || err != nil {
		return openingNote{}, nil
	}
	return n, nil
}

// removeOpeningNote removes the note, durably, after the segment got its size again.
func removeOpeningNote(dir string) error {
	if err := os.Remove(filepath.Join(dir, openingNoteName)); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	return syncDir(dir)
}
