package storage

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

// openedLog is a log that was read and can be appended to.
type openedLog struct {
	wal     *wal.WAL
	state   *raftpb.HardState
	entries []*raftpb.Entry
}

// openLog opens the log that sc has found whole or torn. This is the first step
// of opening that changes the disk: it cuts a torn tail.
func (p paths) openLog(lg *zap.Logger, sc *scan) (log *openedLog, err error) {
	dir := p.wal
	// The wal package panics on what it can't read; the scan has read all of it,
	// so this is for what changes under our hands.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("storage: %w: the log in %s: %v: %s", ErrCorrupt, dir, r, restoreAdvice)
		}
	}()
	if err := p.repairLog(lg, sc); err != nil {
		return nil, err
	}
	w, err := wal.Open(quietLogger(lg), dir, &walpb.Snapshot{Index: &sc.start.index, Term: &sc.start.term})
	if err != nil {
		return nil, fmt.Errorf("storage: open the log in %s: %w", dir, err)
	}
	_, state, entries, err := w.ReadAll()
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("storage: read the log in %s: %w", dir, err)
	}
	if len(entries) != len(sc.terms) || len(entries) > 0 && entries[0].GetIndex() != sc.start.index+1 {
		w.Close()
		return nil, fmt.Errorf("storage: %w: the log in %s gave %d entries, then %d: check the disk", ErrCorrupt, dir, len(sc.terms), len(entries))
	}
	// The log knows the hard state only from what is saved through it; without
	// this, its next segment could begin without one.
	if !etcdraft.IsEmptyHardState(state) {
		if err := w.Save(state, nil); err != nil {
			w.Close()
			return nil, fmt.Errorf("storage: write the log in %s: %w", dir, err)
		}
	}
	return &openedLog{wal: w, state: state, entries: entries}, nil
}

// repairLog cuts a torn tail and keeps what it cut in a file of the data
// directory, for whoever wants to look. The wal package could do this too, but
// takes more for a torn tail than lost sectors explain.
func (p paths) repairLog(lg *zap.Logger, sc *scan) error {
	if sc.torn == nil {
		return nil
	}
	path, offset := sc.torn.path, sc.torn.offset
	if sc.torn.frame { // otherwise reading the log clears what lies behind its end
		if err := p.cut(path, offset); err != nil {
			return fmt.Errorf("storage: %s can't be cut at byte %d: %w", path, offset, err)
		}
	}
	lg.Warn("a crash had interrupted a write to the log: its unfinished tail, which was never acknowledged, is cut off",
		zap.String("segment", path), zap.Int64("offset", offset), zap.Uint64("last-entry", sc.last()))
	return nil
}

func (p paths) cut(path string, offset int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	kept, err := os.OpenFile(filepath.Join(p.dir, tornName), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer kept.Close()
	if _, err := io.Copy(kept, io.NewSectionReader(f, offset, tornBytes)); err != nil {
		return err
	}
	if err := f.Truncate(offset); err != nil {
		return err
	}
	return f.Sync()
}

// quietLogger keeps what the wal package tells of its daily work out of the log.
func quietLogger(lg *zap.Logger) *zap.Logger {
	return lg.WithOptions(zap.IncreaseLevel(zap.WarnLevel))
}

// releaseLog deletes the segments that lie wholly behind a checkpoint at index,
// the oldest first, so that a crash leaves a log without gaps.
func releaseLog(w *wal.WAL, dir string, index uint64) error {
	if err := w.ReleaseLockTo(index); err != nil {
		return fmt.Errorf("storage: release the log: %w", err)
	}
	list, err := segments(dir)
	if err != nil {
		return err
	}
	// The same segments as ReleaseLockTo has let go: those before the last one
	// that begins before index.
	keep := len(list) - 1
	for i, s := range list {
		if s.index >= index {
			keep = i - 1
			break
		}
	}
	if keep <= 0 {
		return nil
	}
	for _, s := range list[:keep] {
		if err := os.Remove(s.path); err != nil {
			return fmt.Errorf("storage: release the log: %w", err)
		}
	}
	return syncDir(dir)
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("storage: sync %s: %w", filepath.Clean(dir), err)
	}
	return nil
}
