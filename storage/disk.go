package storage

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/server/v3/storage/wal"
	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

// Disk is the open data directory of one member. The package comment says which method may
// be called from which goroutine.
type Disk struct {
	paths           paths
	options         Options
	identity        Identity // never changes after Create and Open
	lg              *zap.Logger
	lock            *dirLock
	wal             *wal.WAL
	zeros           zeroFill
	state           *raftpb.HardState     // the last one that was appended; nil before the first
	sinceCheckpoint atomic.Int64          // bytes appended since the last checkpoint
	failure         atomic.Pointer[error] // the first failed write

	// closing is held shared by every running method, so that Close waits for them.
	closing sync.RWMutex
	closed  bool

	// checkpointing is held while state.db is written or copied. It protects last and
	// stateFailure.
	checkpointing sync.Mutex
	last          position // of the last checkpoint
	stateFailure  error    // why the content of state.db is in doubt; nil when it is not
	needsAll      atomic.Bool
	update        func(*bbolt.DB, func(*bbolt.Tx) error) error // bbolt.DB.Update, except in tests
	syncDir       func(dir string) error                       // syncDir, except in tests

	failing atomic.Pointer[checkpointFailure] // nil when the last checkpoint succeeded

	compaction   compactionLimits
	portionBytes int64        // written in one transaction on state.db
	deferrals    atomic.Int32 // how many deferrals of compactions are in effect
}

func newDisk(p paths, o Options, lock *dirLock) *Disk {
	return &Disk{
		paths: p, options: o, lg: o.logger(), lock: lock, zeros: zeroFill{dir: p.wal, helps: marksUnwritten},
		compaction: defaultCompaction, portionBytes: portionBytes, update: (*bbolt.DB).Update, syncDir: syncDir,
	}
}

// entryOverhead is the approximate size of a log entry without its data.
const entryOverhead = 48

// Append writes entries and a hard state. The entries follow the last one that was appended,
// or replace the end of the log. The hard state may be nil or empty. When Append returns,
// entries, a new term and a new vote are durable. A hard state that changes only the commit
// index becomes durable with the next write. The Disk keeps hs, so the caller must not
// change it afterwards. It does not keep the entries. An error is final: every later call
// returns ErrFailed.
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
		// A hard state after the entries marks the end of the write: see replay.
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
	d.sinceCheckpoint.Add(int64(size))
	if err := d.zeros.appended(size); err != nil {
		d.lg.Warn("syncs of the log may be slower from here on", zap.Error(err))
	}
	return nil
}

// WALSize is the approximate number of bytes that were appended since the last checkpoint,
// which a start would have to replay. It may be called from any goroutine.
func (d *Disk) WALSize() int64 { return d.sinceCheckpoint.Load() }

// Size returns the bytes of the last checkpoint, and of the log since. It may be called from any goroutine.
func (d *Disk) Size() int64 {
	size := d.WALSize()
	if info, err := os.Stat(d.paths.state); err == nil { // a rename may be under way
		size += info.Size()
	}
	return size
}

// Close waits for the running calls, stops a compaction, and unlocks the data directory. A
// second call does nothing.
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

// usable returns an error after Close and after a failed write.
func (d *Disk) usable() error {
	if d.closed {
		return ErrClosed
	}
	if err := d.failure.Load(); err != nil {
		return fmt.Errorf("%w: %w", ErrFailed, *err)
	}
	return nil
}

// fail records the first failed write. It is final: after a failed sync the kernel may have
// dropped the pages that it could not write, so a later sync that succeeds proves nothing.
func (d *Disk) fail(err error) error {
	d.failure.CompareAndSwap(nil, &err)
	return err
}
