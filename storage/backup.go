package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Backup makes backupAttempts to read the data of a member that may be writing, and waits for
// backupPause between two of them.
const (
	backupAttempts = 20
	backupPause    = 50 * time.Millisecond
)

// Backup makes the data of a new member, in the directory to, from the files of a member in the directory from. That
// member may be running: its next checkpoint waits for the copy, nothing else does. Nothing in from is changed. The
// backup holds everything that was durable when Backup was called. This includes the entries at the end of the log, which
// may not be committed.
//
// The callback begin receives the content of the files and returns the founding of the new member. It may replace
// Entries by others of the same index and term, or drop the last ones. The entries that it leaves count as committed.
//
// Everything is durable when Backup returns. After an error no member can be started from to. The errors are ErrNoData
// and those of Open for from, ErrExists and those of Create for to, and the errors of begin.
func Backup(ctx context.Context, from, to Options, begin func(*Recovered) (Founding, error)) (*Recovered, error) {
	src, err := from.paths()
	if err != nil {
		return nil, err
	}
	if err := src.requireData(); err != nil {
		return nil, err
	}
	dst, err := to.paths()
	if err != nil {
		return nil, err
	}
	if dst.within(src) {
		return nil, fmt.Errorf("storage: %w: %s lies inside the directory that is to be copied", ErrExists, dst.dir)
	}
	d, err := lockNewDir(dst, to)
	if err != nil {
		return nil, err
	}
	r, err := d.backup(ctx, src, begin)
	if err != nil {
		_ = d.paths.removeRemains() // err is the error to report
		d.lock.undo()
		return nil, err
	}
	return r, d.lock.release()
}

// within reports whether one of the directories lies inside one of other, or is the same.
func (p paths) within(other paths) bool {
	for _, dir := range []string{p.dir, p.wal} {
		for _, above := range []string{other.dir, other.wal} {
			if dir == above || strings.HasPrefix(dir, above+string(filepath.Separator)) {
				return true
			}
		}
	}
	return false
}

// backup makes the new data. Callers must hold the lock of the new directory.
func (d *Disk) backup(ctx context.Context, src paths, begin func(*Recovered) (Founding, error)) (*Recovered, error) {
	r, err := d.readMember(ctx, src)
	if err != nil {
		return nil, err
	}
	if r.Applied == 0 && len(r.Entries) == 0 {
		return nil, fmt.Errorf("storage: %w: nothing was ever written to %s", ErrNoData, src.dir)
	}
	founding, err := begin(r)
	if err != nil {
		return nil, err
	}
	last := r.Applied + uint64(len(r.Entries))
	r.HardState.Commit = &last
	return r, d.beginMember(founding, position{r.Applied, r.Term}, r.HardState, r.Entries)
}

// readMember copies the checkpoint of a member to this directory, under an unfinished name, and reads the log after it.
// The writes of a running member can look like damage, so it tries again.
func (d *Disk) readMember(ctx context.Context, src paths) (r *Recovered, err error) {
	for range backupAttempts {
		if r, err = d.tryReadMember(ctx, src); err == nil || !errors.Is(err, ErrCorrupt) && !errors.Is(err, os.ErrNotExist) {
			return r, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(backupPause):
		}
	}
	return nil, err
}

func (d *Disk) tryReadMember(ctx context.Context, src paths) (*Recovered, error) {
	state, err := lockState(ctx, src.state)
	if err != nil {
		return nil, err
	}
	defer state.Close()
	info, err := state.Stat()
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	temp := d.paths.state + tempSuffix
	if err := receive(temp, &contextReader{ctx, state}, info.Size()); err != nil {
		return nil, fmt.Errorf("storage: copy %s: %w", src.state, err)
	}
	data, err := readState(state, info.Size(), maxSnapshotHistory)
	if err != nil {
		return nil, fmt.Errorf("storage: %s: %w: %s", src.state, err, restoreAdvice)
	}
	return src.readLog(data)
}

// readLog reads the log after a checkpoint of the same member, and combines the two.
func (p paths) readLog(data *checkpointData) (*Recovered, error) {
	sc, err := scanEntries(p.wal, data.meta.position)
	if err != nil {
		return nil, err
	}
	if *sc.identity != data.meta.identity {
		return nil, fmt.Errorf("storage: %w: the log in %s is of another member than %s", ErrForeign, p.wal, p.state)
	}
	return sc.recovered(data)
}

// contextReader is a reader that fails once its context has ended.
type contextReader struct {
	ctx context.Context
	src io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.src.Read(p)
}

// lockState opens a checkpoint and takes the lock that bbolt takes, shared: it waits for a running transaction, and the
// next transaction waits until the file is closed.
func lockState(ctx context.Context, path string) (*os.File, error) {
	for {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("storage: %w", err)
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		if err == nil && sameFile(f, path) {
			return f, nil
		}
		f.Close()
		if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("storage: lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// recovered combines the checkpoint and the log. It keeps the entries after the commit index: the other members may have
// acknowledged them.
func (s *scan) recovered(data *checkpointData) (*Recovered, error) {
	r := &Recovered{
		Identity: data.meta.identity, Store: data.store,
		Applied: data.meta.position.index, Term: data.meta.position.term,
		ConfState: data.meta.conf, Members: data.meta.members, Level: data.meta.level,
	}
	for _, raw := range s.entries {
		e := &raftpb.Entry{}
		if err := proto.Unmarshal(raw, e); err != nil {
			return nil, damaged("an entry can't be read: %v", err)
		}
		r.Entries = append(r.Entries, e)
	}
	state := s.recoveredState()
	r.HardState = &raftpb.HardState{Term: &state.term, Vote: new(uint64(0)), Commit: &state.commit}
	return r, nil
}
