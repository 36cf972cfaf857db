package raft

import (
	"context"
	"io"
)

// saver waits for a checkpoint that holds at least the entries up to index.
type saver struct {
	index uint64
	done  chan error // has room for one
}

// OpenSnapshot writes a checkpoint of what is applied here at the time of the
// call, or later, and opens it as a snapshot file of size bytes; see
// storage.InspectSnapshot. After Barrier that is all that was acknowledged to
// anyone. The caller must close it. Its errors are ctx's, those of the disk, or
// what the node ended with.
func (n *Node) OpenSnapshot(ctx context.Context) (file io.ReadCloser, size int64, err error) {
	saved := make(chan error, 1)
	if !n.inbox.post(func(c *core) { c.save(saved) }) {
		return nil, 0, errTooMany
	}
	select {
	case err = <-saved:
	case <-ctx.Done():
		err = ctx.Err()
	case <-n.done:
		err = n.err
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

// save answers when a checkpoint holds what is applied now.
func (c *core) save(done chan error) {
	if c.checkpoint.index == c.appliedIndex && !c.cfg.Disk.NeedsAll() {
		done <- nil
		return
	}
	c.checkpoint.savers = append(c.checkpoint.savers, saver{c.appliedIndex, done})
	if c.checkpoint.underway {
		c.deferCompaction()
		return
	}
	c.beginCheckpoint()
}

// saved answers those for whom a checkpoint was written, or failed, and begins
// the next one if it came too early for others.
func (l *core) saved(c checkpointed) {
	waiting := l.checkpoint.savers
	l.checkpoint.savers = nil
	for _, s := range waiting {
		if c.err == nil && c.Applied < s.index {
			l.checkpoint.savers = append(l.checkpoint.savers, s)
			continue
		}
		s.done <- c.err
	}
	if len(l.checkpoint.savers) > 0 && l.failed == nil {
		l.beginCheckpoint()
	}
}
