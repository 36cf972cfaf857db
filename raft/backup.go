package raft

import (
	"context"
	"io"
)

// saver is a caller of OpenSnapshot that waits for a checkpoint of the entries up to index, or more.
type saver struct {
	index uint64
	done  chan error // has room for one
}

// OpenSnapshot writes a checkpoint and opens it as a snapshot file of size bytes; see storage.InspectSnapshot. The snapshot
// holds everything that this member had applied at the time of the call. After Barrier this includes everything that any
// member had acknowledged. The caller must close the file. The errors are those of ctx, of the disk and of the node.
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

// save sends to done when a checkpoint holds everything that is applied now.
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

// answerSavers answers the callers whose entries the checkpoint holds, or all callers if it failed. If callers are left, it
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
