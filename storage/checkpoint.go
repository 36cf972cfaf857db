package storage

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"pando/tree"
)

// Checkpoint is the state to be stored.
type Checkpoint struct {
	// Delta is what changed in the tree since the last successful checkpoint. It
	// is sorted on the way.
	Delta *tree.Delta
	// Applied and Term are the index and the term of the last entry that
	// Delta.View holds.
	Applied uint64
	Term    uint64
	// ConfState is the raft configuration as of Applied.
	ConfState *raftpb.ConfState
	// Members is stored as it is and given back by Open.
	Members []byte
	// Level is the cluster's feature level as of Applied. It decides the format of what is written.
	Level uint64
}

// CheckpointStats is what a checkpoint has done.
type CheckpointStats struct {
	Nodes    int           // nodes written
	Removed  int           // nodes that are gone
	Events   int           // events written
	Bytes    int64         // what was written of all these
	Pages    int64         // bytes of the pages that were written for them, and for the fold
	Recent   int64         // bytes of the recent changes that wait to be folded
	Stored   int64         // nodes that are stored in their place, those included that are gone since
	Folded   int           // changes that were folded
	Duration time.Duration // until the checkpoint held and the log was released
	FoldTime time.Duration // what the fold behind it took
}

// Checkpoint makes the state durable and then deletes the segments of the log that
// are wholly behind it. It costs in proportion to the change, and may run beside
// Append. After an error the checkpoint before it is still the valid one: give
// the delta back to its Store, and try again later with the next one. When the
// file itself is in doubt, that must be a delta of all: see NeedsAll. One call works
// at a time; others wait.
//
// Now and then it folds what is recent, when all that is done; see Hurry for those
// who can't wait for that.
func (d *Disk) Checkpoint(c Checkpoint) (CheckpointStats, error) {
	d.closing.RLock()
	defer d.closing.RUnlock()
	d.checkpointing.Lock()
	defer d.checkpointing.Unlock()
	stats, err := d.checkpoint(c)
	d.noteOutcome(err)
	if err == nil {
		d.foldIfDue(c.Delta.View, &stats)
	}
	return stats, err
}

// checkpointFailure is a run of failed checkpoints.
type checkpointFailure struct {
	since time.Time // when the first of them failed
	err   error     // of the last one
}

// CheckpointFailing tells since when checkpoints fail, and the error of the last one.
// The time is zero when the last checkpoint succeeded, or none was tried. It may be
// called from anywhere.
func (d *Disk) CheckpointFailing() (since time.Time, err error) {
	if f := d.failing.Load(); f != nil {
		return f.since, f.err
	}
	return time.Time{}, nil
}

// noteOutcome keeps CheckpointFailing up to date. Callers must hold checkpointing.
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

// checkpoint runs under the locks.
func (d *Disk) checkpoint(c Checkpoint) (CheckpointStats, error) {
	if err := d.usable(); err != nil {
		return CheckpointStats{}, err
	}
	if c.Applied < d.last.index || c.Applied > 0 && c.ConfState == nil {
		return CheckpointStats{}, fmt.Errorf("storage: checkpoint at entry %d behind one at %d, or without a configuration", c.Applied, d.last.index)
	}
	if d.stateFailure != nil && !c.Delta.All {
		return CheckpointStats{}, fmt.Errorf("%w: %w", ErrFailed, d.stateFailure)
	}
	start := time.Now()
	size := d.unsaved.Load()
	if err := d.markLog(c); err != nil {
		return CheckpointStats{}, err
	}
	stats, err := d.writeState(c)
	if err != nil {
		return CheckpointStats{}, err
	}
	d.last = position{c.Applied, c.Term}
	d.unsaved.Add(-size)
	if err := releaseLog(d.wal, d.paths.wal, c.Applied); err != nil {
		// The checkpoint holds; the next one deletes them.
		d.lg.Warn("old log segments could not be deleted", zap.Error(err))
	}
	stats.Duration = time.Since(start)
	if observe := d.options.ObserveCheckpoint; observe != nil {
		observe(stats.Duration)
	}
	return stats, nil
}

// markLog writes the record to the log at which it can be opened with this
// checkpoint.
func (d *Disk) markLog(c Checkpoint) error {
	mark := &walpb.Snapshot{Index: &c.Applied, Term: &c.Term, ConfState: c.ConfState}
	if err := d.wal.SaveSnapshot(mark); err != nil {
		return d.fail(fmt.Errorf("storage: write the log in %s: %w: check the disk, then start again", d.paths.wal, err))
	}
	return nil
}

// writeState stores the checkpoint in state.db, or all that it is of in a new file if
// the delta says so.
func (d *Disk) writeState(c Checkpoint) (CheckpointStats, error) {
	if c.Delta.All {
		return d.replaceState(c)
	}
	c.Delta.Sort()
	return d.writeTo(d.paths.state, c)
}

// replaceState writes a new state.db of what is in memory. Nothing of the old file is
// read, so it does not matter what has become of that.
func (d *Disk) replaceState(c Checkpoint) (CheckpointStats, error) {
	temp := d.paths.state + tempSuffix
	stats, err := d.writeNew(temp, c)
	if err != nil {
		_ = os.Remove(temp) // the error that counts is told
		return stats, fmt.Errorf("storage: write a new %s: %w", d.paths.state, err)
	}
	if err := os.Rename(temp, d.paths.state); err != nil {
		return stats, fmt.Errorf("storage: %w", err)
	}
	if err := syncDir(d.paths.dir); err != nil {
		return stats, err
	}
	d.doubt(nil)
	d.lg.Warn("state.db was written anew, because the old file was in doubt", zap.Int("nodes", stats.Nodes))
	return stats, nil
}

func (d *Disk) writeNew(path string, c Checkpoint) (CheckpointStats, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return CheckpointStats{}, err
	}
	if err := writeEmptyState(path, d.identity); err != nil {
		return CheckpointStats{}, err
	}
	return d.writeTo(path, c)
}

func (d *Disk) writeTo(path string, c Checkpoint) (CheckpointStats, error) {
	w, stop := newStateWriter(&c)
	defer stop()
	for !w.done {
		pages, err := d.changeState(path, w.step)
		if err != nil {
			return w.stats, err
		}
		w.stats.Pages += pages
	}
	return w.stats, nil
}

// changeState runs one transaction on a checkpoint and gives the bytes of the pages that
// it wrote. The file is open only for that long: bbolt maps it into memory, and every
// page it has touched would count as this process's until it lets go.
func (d *Disk) changeState(path string, change func(*bbolt.Tx) error) (pages int64, err error) {
	// bbolt follows the pointers of a damaged page wherever they lead.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("storage: %w: %s: %v", ErrCorrupt, path, r)
		}
		if errors.Is(err, ErrCorrupt) || errors.Is(err, syscall.EIO) {
			// What the kernel could not write it may have dropped, and yet show.
			d.doubt(err)
		}
	}()
	db, err := openBolt(path, mapRoom)
	if err != nil {
		for _, invalid := range []error{berrors.ErrInvalid, berrors.ErrVersionMismatch, berrors.ErrChecksum} {
			if errors.Is(err, invalid) {
				err = damaged("%v", err)
			}
		}
		return 0, fmt.Errorf("storage: open %s: %w", path, err)
	}
	err = d.update(db, func(tx *bbolt.Tx) error {
		tx.OnCommit(func() { stats := tx.Stats(); pages = stats.GetPageAlloc() })
		return change(tx)
	})
	if err = errors.Join(err, db.Close()); err != nil {
		err = fmt.Errorf("storage: write %s: %w", path, err)
	}
	return pages, err
}

// doubt notes why state.db must not be written any more; nil when there is no reason.
func (d *Disk) doubt(err error) {
	d.stateFailure = err
	d.needsAll.Store(err != nil)
}

// NeedsAll reports whether state.db is in doubt, after an error of the disk or because
// it is damaged. The next checkpoint must be of a delta that holds all: see
// tree.Store.TakeAll. It may be called from anywhere.
func (d *Disk) NeedsAll() bool { return d.needsAll.Load() }

// mapRoom is how much of the address space is kept for a file to grow into
// during one checkpoint. When it is not enough, bbolt copies all it has at hand.
const mapRoom = 256 << 20

// openBolt opens or makes a bbolt file for writing.
func openBolt(path string, room int) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:         time.Second,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: room,
		NoStatistics:    true,
	})
	if err == nil {
		// The file grows at most once in a checkpoint; ahead of that, by this.
		db.AllocSize = 1 << 20
	}
	return db, err
}
