package storage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"
)

// openedLog is a log that was read and to which entries can be appended.
type openedLog struct {
	wal     *wal.WAL
	state   *raftpb.HardState
	entries []*raftpb.Entry
}

// openLog opens the log that sc has read, at a checkpoint with the configuration conf, and
// repairs a torn write. It is the first step of Open that changes anything on disk.
func (p paths) openLog(lg *zap.Logger, sc *scan, conf *raftpb.ConfState) (log *openedLog, err error) {
	dir := p.wal
	// The wal package panics when it can't read the log. The scan has read all of it, so
	// this happens only when the files change meanwhile.
	defer func() {
		if r := recover(); r != nil {
			err = damageAt(dir, damaged("the wal package can't read the log: %v", r))
		}
	}()
	if err := p.repairLog(lg, sc); err != nil {
		return nil, err
	}
	if err := writeOpeningNote(dir, openingNote{filepath.Base(sc.end.path), sc.end.offset}); err != nil {
		return nil, err
	}
	w, err := wal.Open(quietLogger(lg), dir, &walpb.Snapshot{Index: &sc.start.index, Term: &sc.start.term})
	if err != nil {
		return nil, fmt.Errorf("storage: open the log in %s: %w", dir, err)
	}
	log = &openedLog{wal: w}
	if err := errors.Join(log.read(sc), log.prepare(sc, conf)); err != nil {
		return nil, errors.Join(fmt.Errorf("storage: open the log in %s: %w", dir, err), w.Close())
	}
	return log, removeOpeningNote(dir)
}

// read reads the entries through the wal package, which it must do before it appends. It
// keeps those that the scan has found valid.
func (l *openedLog) read(sc *scan) error {
	_, _, entries, err := l.wal.ReadAll()
	if err != nil {
		return err
	}
	// The wal package also gives entries that a snapshot from the leader has replaced.
	if len(entries) < len(sc.terms) {
		return damaged("it had %d entries at the first reading and %d at the second: check the disk", len(sc.terms), len(entries))
	}
	l.entries = entries[:len(sc.terms):len(sc.terms)]
	for i, e := range l.entries {
		if want := sc.start.index + 1 + uint64(i); e.GetIndex() != want || e.GetTerm() != sc.terms[i] {
			return damaged("it had entry %d of term %d at the first reading and entry %d of term %d at the second: check the disk",
				want, sc.terms[i], e.GetIndex(), e.GetTerm())
		}
	}
	return nil
}

// prepare makes the log ready for appending, and durable.
func (l *openedLog) prepare(sc *scan, conf *raftpb.ConfState) error {
	s := sc.recoveredState()
	l.state = &raftpb.HardState{Term: &s.term, Vote: &s.vote, Commit: &s.commit}
	if len(l.entries) == 0 && sc.start.index > 0 {
		// The wal package names the next segment by the index of the last entry or mark that
		// it has read. That may be lower than the checkpoint, at which the log ends.
		mark := &walpb.Snapshot{Index: &sc.start.index, Term: &sc.start.term, ConfState: conf}
		if err := l.wal.SaveSnapshot(mark); err != nil {
			return err
		}
	}
	// The wal package begins its next segment with the hard state that was last saved
	// through it, so one must be saved.
	if s != (hardState{}) {
		if err := l.wal.Save(proto.CloneOf(l.state), nil); err != nil {
			return err
		}
	}
	return l.wal.Sync()
}

// repairLog clears what follows the last record of the last segment, gives that segment its
// full size, and removes a segment that an earlier process has allocated ahead. It copies
// the beginning of a torn write to a file in the data directory, for an operator to look at.
// The repair of the wal package is not used: it takes some kinds of damage for a torn write.
func (p paths) repairLog(lg *zap.Logger, sc *scan) error {
	ready, err := filepath.Glob(filepath.Join(p.wal, "[01]"+tempSuffix))
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	for _, name := range ready {
		// The wal package would use the file again without clearing it.
		if err := os.Remove(name); err != nil {
			return fmt.Errorf("storage: %w", err)
		}
	}
	if err := p.restoreSegment(sc); err != nil {
		return fmt.Errorf("storage: clear %s from byte %d on: %w", sc.end.path, sc.end.offset, err)
	}
	if sc.torn {
		lg.Warn("a crash interrupted a write to the log; its unfinished end, which was never acknowledged, was cut off",
			zap.String("segment", sc.end.path), zap.Int64("offset", sc.end.offset), zap.Uint64("last-entry", sc.last()))
	}
	return nil
}

// restoreSegment overwrites a torn write with zeros, and gives the last segment its full size.
func (p paths) restoreSegment(sc *scan) error {
	f, err := os.OpenFile(sc.end.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if sc.torn {
		if err := p.keepTorn(f, sc.end.offset); err != nil {
			return err
		}
		if err := clearFile(f, sc.end.offset, info.Size()); err != nil {
			return err
		}
	}
	// The wal package reads one more length field after the last record.
	if size := max(wal.SegmentSizeBytes, sc.end.offset+frameHeadBytes); info.Size() < size {
		if err := f.Truncate(size); err != nil {
			return err
		}
	}
	return f.Sync()
}

// keepTorn copies the beginning of a torn write to the file tornName.
func (p paths) keepTorn(f *os.File, offset int64) error {
	kept, err := os.OpenFile(filepath.Join(p.dir, tornName), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(kept, io.NewSectionReader(f, offset, tornBytes))
	return errors.Join(err, kept.Close())
}

// clearFile overwrites all data from offset on with zeros. It begins at the end: so a crash
// leaves the beginning of a torn write, which is a torn write, too.
func clearFile(f *os.File, offset, size int64) error {
	used, err := usedUntil(f, offset, size)
	if err != nil {
		return err
	}
	for used > offset {
		from := max(offset, used-int64(len(zeroBlock)))
		if _, err := f.WriteAt(zeroBlock[:used-from], from); err != nil {
			return err
		}
		used = from
	}
	return nil
}

// quietLogger drops the messages of the wal package below the level of warnings.
func quietLogger(lg *zap.Logger) *zap.Logger {
	return lg.WithOptions(zap.IncreaseLevel(zap.WarnLevel))
}

// releaseLog deletes the segments that lie wholly before a checkpoint at index. It deletes
// the oldest first, so that a crash leaves a log without gaps.
func releaseLog(w *wal.WAL, dir string, index uint64) error {
	if err := w.ReleaseLockTo(index); err != nil {
		return fmt.Errorf("storage: release the log: %w", err)
	}
	list, err := segments(dir)
	if err != nil {
		return err
	}
	// The wal package has unlocked the same segments: those before the last one that begins
	// before index.
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

// syncDir makes the names of the files in a directory durable.
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
