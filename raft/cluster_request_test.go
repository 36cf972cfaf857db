package raft

import (
	"context"
	"errors"
	"fmt"

	"pando/tree"
)

// outcomeUnknown reports whether a proposal has failed because it was not committed in time.
func outcomeUnknown(err error) bool {
	e, ok := errors.AsType[*tree.Error](err)
	return ok && e.Code == tree.CodeRaftInternal && e.Cause == tree.CauseTimedOut
}

var errDown = errors.New("the member is down")

// set writes a key on a member, again while the outcome is unknown. It must succeed.
func (r *replica) set(path, value string) *tree.Event {
	r.c.t.Helper()
	event, err := r.propose(&tree.Command{Op: tree.OpSet, Path: path, Value: value})
	if err != nil {
		r.c.t.Fatalf("member %d: set %s: %v; %s", r.id, path, err, r.c.describe())
	}
	return event
}

// propose proposes a command that may be applied twice, again while its outcome is unknown: a change of the leader, which a busy
// machine may cause at any time, can lose a proposal in flight.
func (r *replica) propose(command *tree.Command) (event *tree.Event, err error) {
	r.c.t.Helper()
	r.c.await("the outcome of a proposal", func() bool {
		event, err = r.node().Propose(context.Background(), command)
		return !outcomeUnknown(err)
	})
	return event, err
}

func (r *replica) trySet(path, value string) (*tree.Event, error) {
	r.c.t.Helper()
	return r.node().Propose(context.Background(), &tree.Command{Op: tree.OpSet, Path: path, Value: value})
}

// get makes a linearizable read of a key on a member. It returns "" for a missing key.
func (r *replica) get(path string) (string, error) {
	return r.read(context.Background(), path)
}

// mustGet is get for a cluster that works: a read that fails because the leader changes is repeated.
func (r *replica) mustGet(path string) (value string) {
	r.c.t.Helper()
	r.c.await(fmt.Sprintf("member %d to read %s", r.id, path), func() (done bool) {
		var err error
		value, err = r.get(path)
		return err == nil
	})
	return value
}

func (r *replica) read(ctx context.Context, path string) (string, error) {
	node := r.up.Load()
	if node == nil {
		return "", errDown
	}
	if err := node.Barrier(ctx); err != nil {
		return "", err
	}
	n, err := node.Tree().View().Get(path)
	if err != nil {
		return "", nil
	}
	return n.Value(), nil
}
