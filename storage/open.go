package storage

import (
	"errors"
	"fmt"
	"os"
	"sync"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"pando/tree"
)

// Recovered is the content of a member's data: the checkpoint, and the log after it.
type Recovered struct {
	Identity Identity
	// Store is the tree as of the checkpoint. It is empty before the first checkpoint.
	Store *tree.Store
	// Applied and Term are the index and the term of the last log entry that the checkpoint
	// holds. They are zero before the first checkpoint.
	Applied uint64
	Term    uint64
	// ConfState is the raft configuration as of the checkpoint. It is never nil, and empty
	// before the first checkpoint.
	ConfState *raftpb.ConfState
	// Members is that of the last checkpoint. It is empty before the first checkpoint.
	Members []byte
	// Level is the cluster's feature level as of the checkpoint. It is at most FeatureLevel.
	Level uint64
	// HardState is never nil. Its commit index is at least Applied.
	HardState *raftpb.HardState
	// Entries are those after Applied, without gaps. Raft may still replace those after the
	// commit index of HardState.
	Entries []*raftpb.Entry
}

// Open reads and checks a member's data and locks the directory. If a crash has torn the last
// write to the log, Open cuts it off and logs that. For any other damage it returns an error
// that names the file and says what to do, and it changes nothing on disk. The errors are
// ErrNoData, ErrLocked, ErrCorrupt, ErrForeign, ErrNewerFormat and ErrOlderFormat.
func Open(o Options) (*Disk, *Recovered, error) {
	p, err := o.paths()
	if err != nil {
		return nil, nil, err
	}
	if err := p.requireData(); err != nil {
		return nil, nil, err
	}
	lock, err := lockDir(p.lock)
	if err != nil {
		return nil, nil, err
	}
	d := newDisk(p, o, lock)
	r, err := d.recover()
	if err != nil {
		lock.undo()
		return nil, nil, err
	}
	return d, r, nil
}

// read reads and checks the checkpoint and, at the same time, the log after it. Of two errors it returns that of the checkpoint.
func (d *Disk) read() (*checkpointData, *scan, error) {
	var sc *scan
	var scanErr error
	var scanning sync.WaitGroup
	data, err := loadStateBeside(d.paths.state, d.options.HistorySize, func(at position) {
		scanning.Go(func() { sc, scanErr = scanLog(d.paths.wal, at) })
	})
	scanning.Wait()
	if err != nil {
		return nil, nil, err
	}
	return data, sc, scanErr
}

// recover reads and checks everything, and only then opens the log for writing.
func (d *Disk) recover() (*Recovered, error) {
	data, sc, err := d.read()
	if err != nil {
		return nil, err
	}
	if *sc.identity != data.meta.identity {
		return nil, fmt.Errorf("storage: %w: the log in %s is of member %x in cluster %x, but %s is of member %x in cluster %x: "+
			"put back the one that was moved",
			ErrForeign, d.paths.wal, sc.identity.MemberID, sc.identity.ClusterID,
			d.paths.state, data.meta.identity.MemberID, data.meta.identity.ClusterID)
	}
	log, err := d.paths.openLog(d.lg, sc, data.meta.conf)
	if err != nil {
		return nil, err
	}
	d.wal = log.wal
	if !etcdraft.IsEmptyHardState(log.state) {
		d.state = proto.CloneOf(log.state)
	}
	d.identity = data.meta.identity
	d.last = data.meta.position
	d.sinceCheckpoint.Store(sc.size)
	r := &Recovered{
		Identity:  data.meta.identity,
		Store:     data.store,
		Applied:   d.last.index,
		Term:      d.last.term,
		ConfState: data.meta.conf,
		Members:   data.meta.members,
		Level:     data.meta.level,
		HardState: log.state,
		Entries:   log.entries,
	}
	// A crash may have interrupted a checkpoint before it deleted the old segments.
	d.releaseLog()
	if err := os.Remove(d.paths.state + tempSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
		d.lg.Warn("the file of an interrupted compaction could not be deleted; the next compaction tries again", zap.Error(err))
	}
	return r, nil
}
