package storage

import (
	"errors"
	"path/filepath"
	"time"

	"go.uber.org/zap"
)

// Identity identifies a member of a cluster. It is set when the data directory is created, and
// is stored both in the log and in the checkpoint.
type Identity struct {
	ClusterID uint64
	MemberID  uint64
}

// Options say where the data is, and how it is used.
type Options struct {
	// DataDir is the directory of this member's data.
	DataDir string
	// WALDir is the directory of the log. Empty means DataDir/wal.
	WALDir string
	// Logger gets the messages for the operator. It may be nil.
	Logger *zap.Logger
	// HistorySize is the number of events in the history of the loaded tree.
	HistorySize int
	// ObserveSync, unless nil, is called with the duration of each Append that had entries,
	// and so was synced.
	ObserveSync func(time.Duration)
	// ObserveCheckpoint, unless nil, is called with the duration of each successful
	// checkpoint. A compaction that may follow is not part of it.
	ObserveCheckpoint func(time.Duration)
}

// paths are the absolute paths of one member's data.
type paths struct {
	dir   string
	wal   string
	state string
	lock  string
}

const (
	lockName  = "member.lock"
	tlsName   = "tls" // the directory of self-signed certificates, which package server writes
	walName   = "wal"
	stateName = "state.db"
	// The file tornName holds the first tornBytes bytes of the torn write that the last
	// repair of the log cut off.
	tornName  = "torn-tail"
	tornBytes = 4 << 20
	// tempSuffix is the end of the names of unfinished files. The wal package uses the same.
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
