package raft

import (
	"context"
	"errors"
)

// ErrCompactionDeferred means that state.db was not compacted, because a snapshot or the stop of the node waited for the checkpoint.
var ErrCompactionDeferred = errors.New("raft: a snapshot, or the end of the process, was waiting for the checkpoint")

// Compact writes a checkpoint and a new state.db, in which everything is stored once. It returns when the new file is in use. The errors
// are ErrCompactionDeferred, those of ctx, of the disk and of the node.
func (n *Node) Compact(ctx context.Context) error {
	done := make(chan error, 1)
	if !n.inbox.post(func(c *core) { c.checkpoints.compact(done) }) {
		return errTooMany
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-n.done:
		return errors.Join(ErrStopped, n.Err())
	}
}

// compact begins a checkpoint with a compaction, and sends its error, or nil, to done at the end.
func (x *checkpointer) compact(done chan error) {
	x.compactors = append(x.compactors, done)
	if !x.inProgress {
		x.begin()
	}
}

// answerCompactors sends the result of the finished checkpoint to the callers of Compact.
func (x *checkpointer) answerCompactors(c checkpointDone) {
	err := errors.Join(c.err, c.stats.CompactionErr)
	if err == nil && !c.stats.Compacted {
		err = ErrCompactionDeferred
	}
	for _, done := range x.compacting {
		done <- err
	}
	x.compacting = nil
}
