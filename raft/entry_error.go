package raft

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
)

// EntryID identifies an entry of the log on every member: no other entry with this index has this term.
type EntryID struct {
	Index, Term uint64
}

// String returns the form that errors and the flag --skip-log-entry use.
func (id EntryID) String() string { return fmt.Sprintf("%d/%d", id.Index, id.Term) }

// EntryError means that this member cannot apply a committed entry.
type EntryError struct {
	Entry EntryID
	Err   error
}

// Error says what the operator must do.
func (e *EntryError) Error() string {
	text := fmt.Sprintf("raft: log entry %v can't be applied: %v", e.Entry, e.Err)
	switch {
	case !errors.Is(e.Err, errTooOld):
		text += ". If a newer version of Pando wrote it, start that version"
	case !errors.Is(e.Err, errEntry):
		return text
	}
	return text + fmt.Sprintf(". If no newer version ever ran in this cluster, start each member once with --skip-log-entry=%v, "+
		"which skips this entry and loses nothing else", e.Entry)
}

// Unwrap returns the reason.
func (e *EntryError) Unwrap() error { return e.Err }

// entryID returns the ID of an entry.
func entryID(e *raftpb.Entry) EntryID { return EntryID{e.GetIndex(), e.GetTerm()} }
