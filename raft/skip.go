package raft

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"

	"pando/storage"
)

// EntryID names one entry of the log, the same on every member: no other entry of
// this index has this term.
type EntryID struct {
	Index, Term uint64
}

// String is the form in which errors name an entry.
func (id EntryID) String() string { return fmt.Sprintf("%d/%d", id.Index, id.Term) }

// EntryError tells of a committed entry that this member can't apply.
type EntryError struct {
	Entry EntryID
	Err   error
}

// Error says what is wrong and what to do.
func (e *EntryError) Error() string {
	text := fmt.Sprintf("raft: log entry %v can't be applied: %v", e.Entry, e.Err)
	switch {
	case !errors.Is(e.Err, errTooOld):
		text += ". If a newer version of Pando wrote it, start that version"
	case !errors.Is(e.Err, errEntry):
		return text
	}
	return text + fmt.Sprintf(". If no newer version ever ran in this cluster, start each member once with --skip-log-entry=%v, "+
		"which passes over this entry and loses nothing else", e.Entry)
}

// Unwrap gives the reason.
func (e *EntryError) Unwrap() error { return e.Err }

func entryID(e *raftpb.Entry) EntryID { return EntryID{e.GetIndex(), e.GetTerm()} }

// ErrNotSkipped refuses to skip an entry that can be applied.
var ErrNotSkipped = errors.New("raft: this log entry can be applied and is not skipped")

// SkipEntry makes the entry do nothing when what a disk holds is started, on this
// member and on those that get the log from it. It reports false, and has changed
// nothing, when the entry is not among those to be replayed: it lies before the
// checkpoint, or this member never had it.
//
// The error is ErrNotSkipped for an entry that can be applied: without it this
// member's tree would differ from the others'.
func SkipEntry(r *storage.Recovered, id EntryID) (bool, error) {
	for i, e := range EntriesToReplay(r) {
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
