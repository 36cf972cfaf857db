package raft

import (
	"context"
	"errors"

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
