package raft

import (
	"errors"
	"fmt"

	"pando/storage"
)

// ErrNotSkipped means that an entry can be applied, and is therefore not skipped.
var ErrNotSkipped = errors.New("raft: this log entry can be applied and is not skipped")

// SkipEntry replaces an entry of a stopped member by an empty one, before the member is started. Members that get the log
// from it get the empty entry, too. It returns false and changes nothing if the log has no such entry after the checkpoint.
//
// The error is ErrNotSkipped for an entry that can be applied: without it, this member's tree would differ from the
// others'.
func SkipEntry(r *storage.Recovered, id EntryID) (bool, error) {
	for i, e := range entriesToReplay(r) {
		if entryID(e) != id {
			continue
		}
		if checkEntry(e) == nil {
			return false, fmt.Errorf("%w: %v", ErrNotSkipped, id)
		}
		r.Entries[i] = emptyEntry(e)
		return true, nil
	}
	return false, nil
}
