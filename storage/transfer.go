package storage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.etcd.io/raft/v3/raftpb"

	"pando/tree"
)

// The names beside state.db while a checkpoint travels between members. What a
// crash leaves of them is overwritten the next time.
const (
	outgoingSuffix = ".outgoing"
	incomingSuffix = ".incoming"
)

// CheckpointReader is the last checkpoint, to be read as a stream. It is a copy:
// checkpoints go on while it is read.
type CheckpointReader struct {
	// Applied, Term and ConfState say of which entry the checkpoint is.
	Applied, Term uint64
	ConfState     *raftpb.ConfState
	// Size is the number of bytes that Read will give.
	Size int64
	file *os.File
}

// Read gives the next bytes of the checkpoint.
func (r *CheckpointReader) Read(p []byte) (int, error) { return r.file.Read(p) }

// Close gives the copy's space free.
func (r *CheckpointReader) Close() error { return r.file.Close() }

// ReadCheckpoint opens the last checkpoint for a peer, or for a backup. The caller
// must Close it.
func (d *Disk) ReadCheckpoint() (*CheckpointReader, error) {
	d.closing.RLock()
	defer d.closing.RUnlock()
	defer d.DeferCompaction()()
	d.checkpointing.Lock()
	defer d.checkpointing.Unlock()
	if err := d.usable(); err != nil {
		return nil, err
	}
	f, err := copyAside(d.paths.state, d.paths.state+outgoingSuffix)
	if err != nil {
		return nil, fmt.Errorf("storage: copy the checkpoint: %w", err)
	}
	r, err := describe(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("storage: %s: %w", d.paths.state, err), f.Close())
	}
	return r, nil
}

// copyAside copies a file to a name that is gone at once: the space is free when
// the file is closed, or the process ends.
func copyAside(from, to string) (*os.File, error) {
	in, err := os.Open(from)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(to); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	if _, err := io.Copy(out, in); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	_, err = out.Seek(0, io.SeekStart)
	return out, err
}

// describe reads of which entry a checkpoint is.
func describe(f *os.File) (*CheckpointReader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	m, err := readMetaOnly(f, info.Size())
	if err != nil {
		return nil, err
	}
	return &CheckpointReader{
		Applied: m.position.index, Term: m.position.term, ConfState: m.conf,
		Size: info.Size(), file: f,
	}, nil
}

// Staged is a checkpoint that came from another member: whole, checked, and not
// yet in use.
type Staged struct {
	// Store, Applied, Term, ConfState, Members and Level are as in Recovered.
	Store         *tree.Store
	Applied, Term uint64
	ConfState     *raftpb.ConfState
	Members       []byte
	Level         uint64
	path          string
}

// Discard throws the checkpoint away.
func (s *Staged) Discard() {
	// What is left is overwritten by the next one.
	_ = os.Remove(s.path)
}

// Stage receives size bytes of a checkpoint into a file of its own, checks all of
// it, and makes it this member's. Half a checkpoint, a damaged one, or one of
// another cluster is an error and leaves nothing. One call at a time; it may run
// beside everything else.
func (d *Disk) Stage(content io.Reader, size int64) (*Staged, error) {
	path := d.paths.state + incomingSuffix
	s, err := d.stage(path, content, size)
	if err != nil {
		_ = os.Remove(path) // the error that counts is told
		return nil, fmt.Errorf("storage: checkpoint from a peer: %w", err)
	}
	return s, nil
}

func (d *Disk) stage(path string, content io.Reader, size int64) (*Staged, error) {
	if size <= 0 || size%pageMultiple != 0 {
		return nil, fmt.Errorf("%w: a checkpoint can't have %d bytes", ErrCorrupt, size)
	}
	if err := checkFree(filepath.Dir(path), size); err != nil {
		return nil, err
	}
	if err := receive(path, content, size); err != nil {
		return nil, err
	}
	data, err := loadState(path, d.options.HistorySize)
	if err != nil {
		return nil, err
	}
	if data.meta.identity.ClusterID != d.identity.ClusterID {
		return nil, fmt.Errorf("%w: it is of cluster %x, this member of %x", ErrForeign, data.meta.identity.ClusterID, d.identity.ClusterID)
	}
	if err := setIdentity(path, d.identity); err != nil {
		return nil, err
	}
	return &Staged{
		Store: data.store, Applied: data.meta.position.index, Term: data.meta.position.term,
		ConfState: data.meta.conf, Members: data.meta.members, Level: data.meta.level, path: path,
	}, nil
}

// pageMultiple divides the size of every bbolt file.
const pageMultiple = 4 << 10

// freeForLog is how much a new file must leave free for the log.
const freeForLog = 16 << 20

// checkFree returns an error if a file of size bytes does not fit into dir.
func checkFree(dir string, size int64) error {
	if free := freeBytes(dir); size > free-freeForLog {
		return fmt.Errorf("a file of %d bytes is to be written, but only %d bytes are free in %s: make space on that disk", size, free, dir)
	}
	return nil
}

func receive(path string, content io.Reader, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(content, size))
	if err == nil && n != size {
		err = fmt.Errorf("%d bytes came of %d: %w", n, size, io.ErrUnexpectedEOF)
	}
	return errors.Join(err, f.Close())
}

func loadMeta(path string) (*meta, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return readMetaOnly(f, info.Size())
}

// Install puts a staged checkpoint in the place of the own one, durably, and
// forgets the log behind it. It must not run beside Append. After an error the
// Disk takes nothing any more, and the next Open finds one of the two whole.
func (d *Disk) Install(s *Staged) error {
	d.closing.RLock()
	defer d.closing.RUnlock()
	defer d.DeferCompaction()()
	d.checkpointing.Lock()
	defer d.checkpointing.Unlock()
	if err := d.usable(); err != nil {
		return err
	}
	// The order is that of a checkpoint: the log can be opened at whichever
	// position state.db names.
	if err := d.markLog(s.Applied, s.Term, s.ConfState); err != nil {
		return err
	}
	if err := os.Rename(s.path, d.paths.state); err != nil {
		return d.fail(fmt.Errorf("storage: %w", err))
	}
	if err := syncDir(filepath.Dir(d.paths.state)); err != nil {
		return d.fail(err)
	}
	d.last = position{s.Applied, s.Term}
	d.unsaved.Store(0)
	d.doubt(nil) // that file is gone
	d.releaseLog()
	return nil
}
