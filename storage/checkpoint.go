package storage

import (
	"fmt"
	"time"

	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"pando/tree"
)

// Checkpoint is the state to be stored.
type Checkpoint struct {
	// Delta is what changed in the tree since the last successful checkpoint. It must hold
	// the whole tree (Delta.All) when NeedsAll reports true. Disk.Checkpoint sorts it.
	Delta *tree.Delta
	// Applied and Term are the index and the term of the last entry that
	// Delta.View holds.
	Applied uint64
	Term    uint64
	// ConfState is the raft configuration as of Applied.
	ConfState *raftpb.ConfState
	// Members is stored unchanged. Open returns it.
	Members []byte
	// Level is the cluster's feature level as of Applied. It decides the format of what is written.
	Level uint64
	// Compact asks for a compaction after the checkpoint, even if none is due.
	Compact bool
}

// CheckpointStats describes a checkpoint and the compaction that may have followed it.
type CheckpointStats struct {
	Nodes          int           // nodes written
	Removed        int           // nodes that were deleted
	Events         int           // events written
	RemovedNodes   int           // nodes written that the history keeps of removed directories
	Users          int           // users and roles written
	Leases         int           // leases written or removed
	RecordBytes    int64         // size of the records written
	PageBytes      int64         // size of the pages written for them, and by the compaction
	DeltaBytes     int64         // size of the stored deltas
	StoredNodes    int64         // nodes stored outside of the deltas, including those that were deleted since
	Duration       time.Duration // until the checkpoint was valid and the log was released
	Compacted      bool          // a compaction followed and came to its end
	CompactionTime time.Duration // zero when no compaction was started
	CompactionErr  error         // of the compaction; nil also if none was started, or if it was deferred
}

// Checkpoint makes the state durable, and then deletes the segments of the log that lie
// wholly before it. The cost is in proportion to the change. Checkpoint may run beside
// Append. Only one call runs at a time; others wait.
//
// After an error the previous checkpoint is still the valid one. The caller must give the
// delta back to its Store, and try again later with the next delta. If NeedsAll reports true
// then, that delta must hold the whole tree.
//
// After some checkpoints the call goes on with a compaction: see DeferCompaction.
func (d *Disk) Checkpoint(c Checkpoint) (CheckpointStats, error) {
	d.closing.RLock()
	defer d.closing.RUnlock()
	d.checkpointing.Lock()
	defer d.checkpointing.Unlock()
	stats, err := d.checkpoint(c)
	d.noteOutcome(err)
	if err == nil {
		d.compactIfDue(&c, &stats)
	}
	return stats, err
}

// checkpointFailure is a series of failed checkpoints.
type checkpointFailure struct {
	since time.Time // when the first of them failed
	err   error     // of the last one
}

// CheckpointFailing returns the time since which checkpoints have failed, and the error of
// the last one. The time is zero when the last checkpoint succeeded, or none was tried. It
// may be called from any goroutine.
func (d *Disk) CheckpointFailing() (since time.Time, err error) {
	if f := d.failing.Load(); f != nil {
		return f.since, f.err
	}
	return time.Time{}, nil
}

// noteOutcome records the outcome of a checkpoint for CheckpointFailing. Callers must hold
// checkpointing.
func (d *Disk) noteOutcome(err error) {
	switch f := d.failing.Load(); {
	case err == nil:
		d.failing.Store(nil)
	case f == nil:
		d.failing.Store(&checkpointFailure{time.Now(), err})
	default:
		d.failing.Store(&checkpointFailure{f.since, err})
	}
}

// checkpoint takes the three steps of a checkpoint. Callers must hold checkpointing.
func (d *Disk) checkpoint(c Checkpoint) (CheckpointStats, error) {
	if err := d.usable(); err != nil {
		return CheckpointStats{}, err
	}
	if c.Applied < d.last.index || c.Applied > 0 && c.ConfState == nil {
		return CheckpointStats{}, fmt.Errorf("storage: checkpoint at entry %d: the last one was at entry %d, or the configuration is missing",
			c.Applied, d.last.index)
	}
	if d.stateFailure != nil && !c.Delta.All {
		return CheckpointStats{}, fmt.Errorf("%w: %w", ErrFailed, d.stateFailure)
	}
	start := time.Now()
	size := d.sinceCheckpoint.Load()
	if err := d.markLog(c.Applied, c.Term, c.ConfState); err != nil {
		return CheckpointStats{}, err
	}
	stats, err := d.writeState(c)
	if err != nil {
		return CheckpointStats{}, err
	}
	d.last = position{c.Applied, c.Term}
	d.sinceCheckpoint.Add(-size)
	d.releaseLog()
	stats.Duration = time.Since(start)
	if observe := d.options.ObserveCheckpoint; observe != nil {
		observe(stats.Duration)
	}
	return stats, nil
}

// markLog writes and syncs the record at which the log can be opened with a checkpoint at
// this position.
func (d *Disk) markLog(index, term uint64, conf *raftpb.ConfState) error {
	if err := d.wal.SaveSnapshot(&walpb.Snapshot{Index: &index, Term: &term, ConfState: conf}); err != nil {
		return d.fail(fmt.Errorf("storage: write the log in %s: %w: check the disk, then start again", d.paths.wal, err))
	}
	return nil
}

// writeState stores the checkpoint in state.db. A delta of the whole tree is stored in a new
// file, which replaces the old one.
func (d *Disk) writeState(c Checkpoint) (CheckpointStats, error) {
	c.Delta.Sort()
	w := newCheckpointWriter(&c, d.portionBytes)
	defer w.close()
	if !c.Delta.All {
		err := d.writePortions(d.paths.state, w, always)
		if err == nil {
			d.pruneHistory(w)
		}
		return w.stats, err
	}
	if _, err := d.rewriteState(w, always); err != nil {
		return w.stats, err
	}
	d.doubt(nil)
	d.lg.Warn("the old state.db could not be trusted; a new one was written from memory",
		zap.String("file", d.paths.state), zap.Int("nodes", w.stats.Nodes))
	return w.stats, nil
}

func always() bool { return true }

// releaseLog deletes the segments that lie wholly before the last checkpoint.
func (d *Disk) releaseLog() {
	if err := releaseLog(d.wal, d.paths.wal, d.last.index); err != nil {
		// The checkpoint is valid. The next one deletes the segments.
		d.lg.Warn("old log segments could not be deleted; the next checkpoint tries again", zap.Error(err))
	}
}
