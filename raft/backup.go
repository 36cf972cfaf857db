package raft

import (
	"context"
	"io"
)

// saver is a caller of OpenSnapshot. It waits for a checkpoint that has the entries up to index, or more.
type saver struct {
	index uint64
	done  chan error // has room for one
}

// OpenSnapshot writes a checkpoint of what is applied here at the time of the call, or later, and opens it as a snapshot
// file of size bytes; see storage.InspectSnapshot. After Barrier that is everything that any member has acknowledged. The
// caller must close the file. The errors are ctx's, those of the disk, or the node's own.
func (n *Node) OpenSnapshot(ctx context.Context) (file io.ReadCloser, size int64, err error) {
	saved := make(chan error, 1)
	if !n.inbox.post(func(c *core) { c.checkpoints.save(saved) }) {
		return nil, 0, errTooMany
	}
	select {
	case err = <-saved:
	case <-ctx.Done():
		err = ctx.Err()
	case <-n.done:
		err = n.Err()
	}
	if err != nil {
		return nil, 0, err
	}
	r, err := n.disk.ReadSnapshot()
	if err != nil {
		return nil, 0, err
	}
	return r, r.Size, nil
}

// save answers when a checkpoint has what is applied now.
func (x *checkpointer) save(done chan error) {
	if x.current() {
		done <- nil
		return
	}
	x.savers = append(x.savers, saver{x.state.applied.Load(), done})
	if x.underWay {
		x.deferCompaction()
		return
	}
	x.begin()
}

// answerSavers answers the callers for whom a checkpoint is new enough, or all if it failed. If callers are left, it
// begins the next checkpoint.
func (x *checkpointer) answerSavers(c checkpointDone) {
	waiting := x.savers
	x.savers = nil
	for _, s := range waiting {
		if c.err == nil && c.Applied < s.index {
			x.savers = append(x.savers, s)
			continue
		}
		s.done <- c.err
	}
	if len(x.savers) > 0 && x.healthy() {
		x.begin()
	}
}
