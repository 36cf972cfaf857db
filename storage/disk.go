package storage

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/server/v3/storage/wal"
	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

// Disk is the open data directory of one member. See the package comment for
// who may call what.
type Disk struct {
	paths    paths
	options  Options
	identity Identity // set before the Disk is given out
	lg       *zap.Logger
	lock     *dirLock
	wal      *wal.WAL
	zeros    zeroFill
	state    *raftpb.HardState     // the last one that was appended; nil before the first
	unsaved  atomic.Int64          // bytes appended since the last checkpoint
	failure  atomic.Pointer[error] // the first failed write

	// closing is held shared by those at work, so that Close waits for them.
	closing sync.RWMutex
	closed  bool

	// checkpointing is held by the checkpoint at work.
	checkpointing sync.Mutex
	last          position // of the last checkpoint
	stateFailure  error    // why state.db is in doubt
	needsAll      atomic.Bool
	update        func(*bbolt.DB, func(*bbolt.Tx) error) error // runs a transaction

	failing atomic.Pointer[checkpointFailure] // nil when the last checkpoint succeeded

	compaction   compactionLimits
	portionBytes int64        // written in one transaction on state.db
	deferrals    atomic.Int32 // how many deferrals of compactions are in effect
}

func newDisk(p paths, o Options, lock *dirLock) *Disk {
	return &Disk{
		paths: p, options: o, lg: o.logger(), lock: lock, zeros: zeroFill{dir: p.wal, helps: marksUnwritten},
		compaction: defaultCompaction, portionBytes: portionBytes, update: (*bbolt.DB).Update,
	}
}

// entryOverhead is roughly what a log entry takes up beside its data.
const entryOverhead = 48

// Append writes entries, which follow what was appended before or replace its
// end, and the hard state, unless it is nil or empty. When it returns, all is
// durable that raft needs to be: entries, a new term, a new vote; a hard state
// that only commits more entries becomes durable with the next write. The Disk
// keeps hs, so the caller must not change it afterwards; the entries are the
// caller's again. An error is final: every later call returns ErrFailed.
func (d *Disk) Append(hs *raftpb.HardState, entries []*raftpb.Entry) error {
	d.closing.RLock()
	defer d.closing.RUnlock()
	if err := d.usable(); err != nil {
		return err
	}
	if !etcdraft.IsEmptyHardState(hs) {
		d.state = hs
	}
	if len(entries) > 0 {
		// The hard state behind entries tells where a write ended: so damage in it is not
		// taken for a torn write when others came after.
		hs = d.state
	}
	start := time.Now()
	if err := d.wal.Save(hs, entries); err != nil {
		return d.fail(fmt.Errorf("storage: write the log in %s: %w: check the disk, then start again", d.paths.wal, err))
	}
	if observe := d.options.ObserveSync; observe != nil && len(entries) > 0 {
		observe(time.Since(start))
	}
	size := 0
	for _, e := range entries {
		size += len(e.GetData()) + entryOverhead
	}
	d.unsaved.Add(int64(size))
	if err := d.zeros.appended(size); err != nil {
		d.lg.Warn("syncs of the log may be slower from here on", zap.Error(err))
	}
	return nil
}

// WALSize is the number of bytes, more or less, that were appended since the last
// checkpoint: what a start would have to replay.
func (d *Disk) WALSize() int64 { return d.unsaved.Load() }

// Close waits for what is at work, but not for a whole fold, and gives the data
// directory free. Calling it again does nothing.
func (d *Disk) Close() error {
	defer d.DeferCompaction()()
	d.closing.Lock()
	defer d.closing.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	d.zeros.close()
	err := d.wal.Close()
	if lockErr := d.lock.release(); err == nil {
		err = lockErr
	}
	if err != nil {
		return fmt.Errorf("storage: close: %w", err)
	}
	return nil
}

func (d *Disk) usable() error {
	if d.closed {
		return ErrClosed
	}
	if err := d.failure.Load(); err != nil {
		return fmt.Errorf("%w: %w", ErrFailed, *err)
	}
	return nil
}

// fail notes that what is on disk is no longer known: after a failed sync the
// kernel may have dropped what it could not write, so trying again proves
// nothing.
func (d *Disk) fail(err error) error {
	d.failure.CompareAndSwap(nil, &err)
	return err
}
