package storage

import (
	"errors"
	"path/filepath"
	"time"

	"go.uber.org/zap"
)

// Identity names a member of a cluster. It is fixed when the data directory is
// created, and stored both in the log and in the checkpoint.
type Identity struct {
	ClusterID uint64
	MemberID  uint64
}

// Options say where the data is and who wants to hear about it.
type Options struct {
	// DataDir is the directory of this member's data.
	DataDir string
	// WALDir holds the log; empty means DataDir/wal.
	WALDir string
	// Logger takes what an operator should know; nil for silence.
	Logger *zap.Logger
	// HistorySize is the number of events that the loaded tree remembers.
	HistorySize int
	// ObserveSync, unless nil, is told how long each Append of entries took: those are
	// synced.
	ObserveSync func(time.Duration)
	// ObserveCheckpoint, unless nil, is told how long each successful
	// checkpoint took, without the fold that may follow: nobody waits for that.
	ObserveCheckpoint func(time.Duration)
}

// paths are the absolute places of one member's data.
type paths struct {
	dir   string
	wal   string
	state string
	lock  string
}

const (
	lockName  = "member.lock"
	walName   = "wal"
	stateName = "state.db"
	// tornName keeps the beginning of what the last repair of the log cut off,
	// tornBytes at most.
	tornName  = "torn-tail"
	tornBytes = 4 << 20
	// tempSuffix marks what is not finished; the log uses the same one.
	tempSuffix = ".tmp"
)

func (o Options) paths() (paths, error) {
	if o.DataDir == "" {
		return paths{}, errors.New("storage: no data directory given: set --data-dir")
	}
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return paths{}, err
	}
	p := paths{
		dir:   dir,
		wal:   filepath.Join(dir, walName),
		state: filepath.Join(dir, stateName),
		lock:  filepath.Join(dir, lockName),
	}
	if o.WALDir != "" {
		if p.wal, err = filepath.Abs(o.WALDir); err != nil {
			return paths{}, err
		}
	}
	return p, nil
}

func (o Options) logger() *zap.Logger {
	if o.Logger == nil {
		return zap.NewNop()
	}
	return o.Logger
}
