package raft

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"

	"pando/tree"
)

// ErrStopped is the error with which a node ends after Stop.
var ErrStopped = errors.New("raft: the server is stopped")

// errPanic means that the program has a fault. The member's data is intact.
var errPanic = errors.New("raft: this member stops because of a fault in the program: keep its data directory, " +
	"and report this with the member's log; it may be started again")

// ErrBroken means that this member must not continue with the data on its disk.
var ErrBroken = errors.New("raft: this member has acknowledged log entries that its log does not hold: its data was lost, " +
	"or restored from a copy. Remove the member, delete its data directory, and add it again as a new one")

var (
	errTimeout  = errors.New(tree.CauseTimedOut)
	errCanceled = errors.New("etcdserver: request cancelled")
	errTooLarge = errors.New("etcdserver: request is too large")
	errTooMany  = errors.New("etcdserver: too many requests")
	// errOldMembers refuses a command that members of older versions can't decode.
	errOldMembers = errors.New("not all members have been upgraded")
)

// apiError turns a failure of the log into the error that clients get. Its causes are those of the reference, because old
// clients compare them.
func apiError(err error) error {
	code := tree.CodeRaftInternal
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = errTimeout
	case errors.Is(err, context.Canceled):
		err = errCanceled
	case errors.Is(err, ErrStopped):
		return tree.NewError(code, tree.CauseStopped)
	}
	return tree.NewError(code, err.Error())
}

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
