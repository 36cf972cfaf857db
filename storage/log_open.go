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

// openedLog is a log that was read and can be appended to.
type openedLog struct {
	wal     *wal.WAL
	state   *raftpb.HardState
	entries []*raftpb.Entry
}

// openLog opens the log that sc has found whole or torn, at a checkpoint of this
// configuration. This is the first step of opening that changes the disk.
func (p paths) openLog(lg *zap.Logger, sc *scan, conf *raftpb.ConfState) (log *openedLog, err error) {
	dir := p.wal
	// The wal package panics on what it can't read; the scan has read all of it,
	// so this is for what changes under our hands.
	defer func() {
		if r := recover(); r != nil {
			err = refuse(dir, damaged("the log: %v", r))
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
	if err := errors.Join(log.read(sc), log.goOn(sc, conf)); err != nil {
		return nil, errors.Join(fmt.Errorf("storage: open the log in %s: %w", dir, err), w.Close())
	}
	return log, removeOpeningNote(dir)
}

// read has the wal package read the log, and takes of it what the scan has found.
func (l *openedLog) read(sc *scan) error {
	_, _, entries, err := l.wal.ReadAll()
	if err != nil {
		return err
	}
	// The wal package keeps entries that a snapshot from the leader has replaced.
	if len(entries) < len(sc.terms) {
		return damaged("it gave %d entries, then %d: check the disk", len(sc.terms), len(entries))
	}
	l.entries = entries[:len(sc.terms):len(sc.terms)]
	for i, e := range l.entries {
		if want := sc.start.index + 1 + uint64(i); e.GetIndex() != want || e.GetTerm() != sc.terms[i] {
			return damaged("it gave entry %d of term %d, then entry %d of term %d: check the disk", want, sc.terms[i], e.GetIndex(), e.GetTerm())
		}
	}
	return nil
}

// goOn makes the log ready for what will be appended, and all of it durable.
func (l *openedLog) goOn(sc *scan, conf *raftpb.ConfState) error {
	s := sc.recoveredState()
	l.state = &raftpb.HardState{Term: &s.term, Vote: &s.vote, Commit: &s.commit}
	if len(l.entries) == 0 && sc.start.index > 0 {
		// The wal package takes the index of the last entry that it has read for the end
		// of the log, and names the next segment by it. The end is the checkpoint.
		mark := &walpb.Snapshot{Index: &sc.start.index, Term: &sc.start.term, ConfState: conf}
		if err := l.wal.SaveSnapshot(mark); err != nil {
			return err
		}
	}
	// It knows the hard state only from what is saved through it; without this, its next
	// segment could begin without one.
	if s != (hardState{}) {
		if err := l.wal.Save(proto.CloneOf(l.state), nil); err != nil {
			return err
		}
	}
	return l.wal.Sync()
}

// repairLog makes the last segment one that ends behind its last record and has its full
// size, and removes what an earlier run has left of the segment that it had ready. It
// keeps what it removes of a torn write in a file of the data directory, for whoever wants
// to look. The wal package could do this too, but takes more for a torn write than lost
// sectors explain.
func (p paths) repairLog(lg *zap.Logger, sc *scan) error {
	ready, err := filepath.Glob(filepath.Join(p.wal, "[01]"+tempSuffix))
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	for _, name := range ready {
		// The wal package would use it again, and not clear what lies in it.
		if err := os.Remove(name); err != nil {
			return fmt.Errorf("storage: %w", err)
		}
	}
	if err := p.restoreSegment(sc); err != nil {
		return fmt.Errorf("storage: %s can't be cleared from byte %d on: %w", sc.end.path, sc.end.offset, err)
	}
	if sc.torn {
		lg.Warn("a crash had interrupted a write to the log: its unfinished tail, which was never acknowledged, is cut off",
			zap.String("segment", sc.end.path), zap.Int64("offset", sc.end.offset), zap.Uint64("last-entry", sc.last()))
	}
	return nil
}

// restoreSegment writes zeros over a torn write, and gives the segment its size.
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
	// Where the records end in the middle of a segment, the length of another one must fit.
	if size := max(wal.SegmentSizeBytes, sc.end.offset+frameHeadBytes); info.Size() < size {
		if err := f.Truncate(size); err != nil {
			return err
		}
	}
	return f.Sync()
}

// keepTorn copies the beginning of a torn write.
func (p paths) keepTorn(f *os.File, offset int64) error {
	kept, err := os.OpenFile(filepath.Join(p.dir, tornName), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(kept, io.NewSectionReader(f, offset, tornBytes))
	return errors.Join(err, kept.Close())
}

// clearFile writes zeros over what is not zero. The end goes first: what a crash leaves
// then is the beginning of what was there.
func clearFile(f *os.File, offset, size int64) error {
	used, err := usedUntil(f, offset, size)
	if err != nil {
		return err
	}
	for used > offset {
		from := max(offset, used-int64(len(zeros)))
		if _, err := f.WriteAt(zeros[:used-from], from); err != nil {
			return err
		}
		used = from
	}
	return nil
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
