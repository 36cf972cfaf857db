package raft

import (
	"context"
	"io"
	"time"

	"go.uber.org/zap"

	"pando/members"
	"pando/storage"
	"pando/tree"
)

// checkpointer writes checkpoints. At most one is in progress, on a goroutine of its own.
//
// Only the goroutine that has the turn may use it.
type checkpointer struct {
	state    *logState
	disk     *storage.Disk
	tree     *tree.Store
	registry *members.Registry
	storage  *logStorage
	observer *Observer
	log      *zap.Logger
	healthy  func() bool // whether the core may go on
	levels   *levelManager
	count    int   // changed nodes that cause a checkpoint
	walBytes int64 // size of the log that causes a checkpoint

	inProgress       bool
	begun            uint64 // applied index of the checkpoint in progress
	index            uint64 // applied index of the last checkpoint
	retryAt          time.Time
	savers           []saver
	compactors       []chan error        // callers of Compact that wait for a checkpoint to begin
	compacting       []chan error        // callers of Compact that wait for the checkpoint in progress
	resumeCompaction func()              // ends the deferral of compactions; nil if they are not deferred
	done             chan checkpointDone // received from inside a turn only
	wake             chan struct{}       // signals the core that done has something
}

// checkpointDone is the result of a checkpoint.
type checkpointDone struct {
	storage.Checkpoint
	stats storage.CheckpointStats
	err   error
}

// checkpointRetry is the pause after a failed checkpoint. The log is kept meanwhile, so a failure costs only space.
const checkpointRetry = 5 * time.Second

func newCheckpointer(c *core) *checkpointer {
	return &checkpointer{
		state: c.state, disk: c.disk, tree: c.tree, registry: c.registry, storage: c.storage, observer: c.observer, log: c.log,
		healthy: c.healthy, levels: c.levels, count: c.cfg.SnapshotCount, walBytes: c.cfg.WALBytes,
		index: c.state.applied.Load(), done: make(chan checkpointDone, 1), wake: make(chan struct{}, 1),
	}
}

// CheckpointFailing returns since when checkpoints fail, and the error of the last one. The time is zero when the last
// checkpoint succeeded, or none was tried. It may be called from any goroutine.
func (n *Node) CheckpointFailing() (since time.Time, err error) { return n.disk.CheckpointFailing() }

// beginIfDue begins a checkpoint after enough changes or enough log, or when a follower needs one.
func (x *checkpointer) beginIfDue() {
	if x.inProgress {
		x.deferCompaction()
		return
	}
	due := x.tree.DirtyPaths() >= x.count || x.disk.WALSize() >= x.walBytes ||
		x.storage.needsCheckpoint() || x.disk.NeedsAll() || x.levels.unsaved()
	if due && x.healthy() && !time.Now().Before(x.retryAt) {
		x.begin()
	}
}

// begin begins a checkpoint. None may be in progress.
func (x *checkpointer) begin() {
	x.inProgress = true
	x.deferCompaction()
	next := x.next()
	x.begun = next.Applied
	x.compacting, x.compactors = x.compactors, nil
	next.Compact = len(x.compacting) > 0
	go func() {
		x.done <- x.write(next)
		wake(x.wake)
	}()
}

// deferCompaction keeps a compaction from following the checkpoint in progress when snapshots wait for that checkpoint.
func (x *checkpointer) deferCompaction() {
	if x.resumeCompaction == nil && (len(x.savers) > 0 || x.storage.needsCheckpoint()) {
		x.resumeCompaction = x.disk.DeferCompaction()
	}
}

// next is the state as applied now.
func (x *checkpointer) next() storage.Checkpoint {
	return storage.Checkpoint{
		Delta:     x.takeDelta(),
		Applied:   x.state.applied.Load(),
		Term:      x.state.appliedTerm,
		ConfState: x.state.confState,
		Members:   x.registry.Marshal(),
		Level:     x.state.level.Load(),
	}
}

// takeDelta takes the changes for the next checkpoint from the tree, or the whole tree if state.db is in doubt.
func (x *checkpointer) takeDelta() *tree.Delta {
	if x.disk.NeedsAll() {
		return x.tree.TakeAll()
	}
	return x.tree.TakeDelta()
}

// write writes a checkpoint. Any goroutine may call it.
func (x *checkpointer) write(c storage.Checkpoint) checkpointDone {
	stats, err := x.disk.Checkpoint(c)
	if err == nil {
		emit1(x.observer.CheckpointDone, stats)
	} else {
		emit(x.observer.CheckpointFailed)
	}
	return checkpointDone{Checkpoint: c, stats: stats, err: err}
}

// finish takes the result of a checkpoint, and answers the callers that wait for one.
func (x *checkpointer) finish(c checkpointDone) {
	x.inProgress = false
	if x.resumeCompaction != nil {
		x.resumeCompaction()
		x.resumeCompaction = nil
	}
	defer x.answerSavers(c)
	x.answerCompactors(c)
	if c.err != nil {
		x.tree.ReturnDelta(c.Delta)
		x.retryAt = time.Now().Add(checkpointRetry)
		x.log.Error("checkpoint failed; the log is kept, and the checkpoint will be tried again", zap.Error(c.err))
		return
	}
	x.index = c.Applied
	x.levels.saved = c.Level
	x.storage.checkpointed(c.Applied, c.Term, c.ConfState)
	x.log.Debug("checkpoint written", zap.Uint64("index", c.Applied), zap.Any("stats", c.stats))
}

// current reports whether the last checkpoint has everything that is applied.
func (x *checkpointer) current() bool {
	return x.index == x.state.applied.Load() && !x.disk.NeedsAll()
}

// writeLast writes what has changed since the last checkpoint, before the core ends.
func (x *checkpointer) writeLast() {
	defer x.disk.DeferCompaction()()
	x.await()
	if !x.current() {
		x.finish(x.write(x.next()))
	}
}

// await waits until no checkpoint is in progress, including those that callers of OpenSnapshot need.
func (x *checkpointer) await() {
	defer x.disk.DeferCompaction()()
	for x.inProgress {
		x.finish(<-x.done)
	}
}

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
	if x.inProgress {
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
	if len(x.savers)+len(x.compactors) > 0 && x.healthy() {
		x.begin()
	}
}
