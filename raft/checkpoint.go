package raft

import (
	"time"

	"go.uber.org/zap"

	"pando/storage"
	"pando/tree"
)

// checkpoint is the loop's account of checkpoints: at most one is under way,
// on its own goroutine.
type checkpoint struct {
	underway         bool
	begun            uint64 // applied index of the one under way
	index            uint64 // applied index of the last one
	retryAt          time.Time
	savers           []saver           // of snapshots
	resumeCompaction func()            // ends the deferral of compactions; nil when none is in effect
	done             chan checkpointed // taken from in a turn alone
	wake             chan struct{}     // tells the loop that done has something
}

// checkpointed is a checkpoint that came to its end.
type checkpointed struct {
	storage.Checkpoint
	stats storage.CheckpointStats
	err   error
}

// checkpointRetry is the pause after a failed checkpoint. The log is kept
// meanwhile, so nothing is lost but space.
const checkpointRetry = 5 * time.Second

func newCheckpoint(index uint64) checkpoint {
	return checkpoint{index: index, done: make(chan checkpointed, 1), wake: make(chan struct{}, 1)}
}

// CheckpointFailing tells since when checkpoints fail, and the error of the last one.
// The time is zero when the last checkpoint succeeded, or none was tried. It may be
// called from anywhere.
func (n *Node) CheckpointFailing() (since time.Time, err error) { return n.disk.CheckpointFailing() }

// checkpointIfDue begins a checkpoint after enough changes or enough log.
func (l *core) checkpointIfDue() {
	c := &l.checkpoint
	if c.underway {
		l.deferCompaction()
		return
	}
	if l.failed != nil {
		return
	}
	if l.tree.DirtyPaths() < l.cfg.SnapshotCount && l.cfg.Disk.WALSize() < l.cfg.WALBytes && !l.storage.wants() && !l.cfg.Disk.NeedsAll() && !l.levelUnsaved() {
		return
	}
	if time.Now().Before(c.retryAt) {
		return
	}
	l.beginCheckpoint()
}

// beginCheckpoint begins one while none is under way.
func (c *core) beginCheckpoint() {
	c.checkpoint.underway = true
	c.deferCompaction()
	next := c.nextCheckpoint()
	c.checkpoint.begun = next.Applied
	go func() {
		c.checkpoint.done <- c.writeCheckpoint(next)
		wake(c.checkpoint.wake)
	}()
}

// deferCompaction keeps a compaction from following the checkpoint under way, when
// snapshots wait for that checkpoint to end.
func (l *core) deferCompaction() {
	c := &l.checkpoint
	if c.resumeCompaction == nil && (len(c.savers) > 0 || l.storage.wants()) {
		c.resumeCompaction = l.cfg.Disk.DeferCompaction()
	}
}

// nextCheckpoint is the state as applied now.
func (c *core) nextCheckpoint() storage.Checkpoint {
	return storage.Checkpoint{
		Delta:     c.takeDelta(),
		Applied:   c.appliedIndex,
		Term:      c.appliedTerm,
		ConfState: c.confState,
		Members:   c.registry.Marshal(),
		Level:     c.level.Load(),
	}
}

// takeDelta gives what the next checkpoint has to store.
func (c *core) takeDelta() *tree.Delta {
	if c.cfg.Disk.NeedsAll() {
		return c.tree.TakeAll()
	}
	return c.tree.TakeDelta()
}

func (l *core) writeCheckpoint(c storage.Checkpoint) checkpointed {
	stats, err := l.cfg.Disk.Checkpoint(c)
	if err == nil {
		emit1(l.observer.CheckpointDone, stats)
	} else {
		emit(l.observer.CheckpointFailed)
	}
	return checkpointed{Checkpoint: c, stats: stats, err: err}
}

// checkpointed takes note of a checkpoint that ended.
func (l *core) checkpointed(c checkpointed) {
	l.checkpoint.underway = false
	if l.checkpoint.resumeCompaction != nil {
		l.checkpoint.resumeCompaction()
		l.checkpoint.resumeCompaction = nil
	}
	defer l.saved(c)
	if c.err != nil {
		l.tree.ReturnDelta(c.Delta)
		l.checkpoint.retryAt = time.Now().Add(checkpointRetry)
		l.log.Error("checkpoint failed; the log is kept and it will be tried again", zap.Error(c.err))
		return
	}
	l.checkpoint.index = c.Applied
	l.levels.saved = c.Level
	l.storage.checkpointed(c.Applied, c.Term, c.ConfState)
	l.log.Debug("checkpoint written", zap.Uint64("index", c.Applied), zap.Any("stats", c.stats))
}

// lastCheckpoint writes what has changed since the last one, before the end.
func (c *core) lastCheckpoint() {
	defer c.cfg.Disk.DeferCompaction()()
	c.awaitCheckpoint()
	if c.appliedIndex == c.checkpoint.index && !c.cfg.Disk.NeedsAll() {
		return
	}
	c.checkpointed(c.writeCheckpoint(c.nextCheckpoint()))
}

// awaitCheckpoint waits for the checkpoint under way, if there is one, and for
// those that a snapshot needs behind it.
func (c *core) awaitCheckpoint() {
	defer c.cfg.Disk.DeferCompaction()()
	for c.checkpoint.underway {
		c.checkpointed(<-c.checkpoint.done)
	}
}
