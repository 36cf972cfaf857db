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

// The ends of the names of checkpoints that are sent to and received from other members. The
// next transfer overwrites files that a crash has left.
const (
	outgoingSuffix = ".outgoing"
	incomingSuffix = ".incoming"
)

// CheckpointReader streams the last checkpoint. It reads a copy, so new checkpoints can be
// written meanwhile.
type CheckpointReader struct {
	// Applied, Term and ConfState are those of the checkpoint.
	Applied, Term uint64
	ConfState     *raftpb.ConfState
	// Size is the number of bytes of the whole stream.
	Size int64
	file *os.File
}

// Read reads the next bytes of the checkpoint.
func (r *CheckpointReader) Read(p []byte) (int, error) { return r.file.Read(p) }

// Close frees the disk space of the copy.
func (r *CheckpointReader) Close() error { return r.file.Close() }

// ReadCheckpoint copies the last checkpoint, for a peer or a snapshot file. It waits for a
// running checkpoint. The caller must close the reader. The errors are ErrClosed, ErrFailed,
// ErrCorrupt, and those of the file system.
func (d *Disk) ReadCheckpoint() (*CheckpointReader, error) {
	d.closing.RLock()
	defer d.closing.RUnlock()
	defer d.DeferCompaction()()
	d.checkpointing.Lock()
	defer d.checkpointing.Unlock()
	if err := d.usable(); err != nil {
		return nil, err
	}
	f, err := copyUnnamed(d.paths.state, d.paths.state+outgoingSuffix)
	if err != nil {
		return nil, fmt.Errorf("storage: copy the checkpoint: %w", err)
	}
	r, err := newCheckpointReader(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("storage: %s: %w", d.paths.state, err), f.Close())
	}
	return r, nil
}

// copyUnnamed copies a file to a new one and removes the name of the new one: its disk space is
// free again when the file is closed, or the process ends.
func copyUnnamed(from, to string) (*os.File, error) {
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

// newCheckpointReader makes the reader for a copy of a checkpoint.
func newCheckpointReader(f *os.File) (*CheckpointReader, error) {
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

// Staged is a checkpoint that was received from another member and checked, and is not in use
// yet.
type Staged struct {
	// Store, Applied, Term, ConfState, Members and Level are as in Recovered.
	Store         *tree.Store
	Applied, Term uint64
	ConfState     *raftpb.ConfState
	Members       []byte
	Level         uint64
	path          string
}

// Discard deletes the checkpoint.
func (s *Staged) Discard() {
	_ = os.Remove(s.path) // the next one overwrites the file
}

// Stage receives a checkpoint of size bytes into a separate file, checks all of it, and gives it
// the identity of this member. It returns an error, and leaves no file, when the content
// ends too early, is damaged, or is of another cluster. Only one call may run at a time. It
// may run beside all other methods.
func (d *Disk) Stage(content io.Reader, size int64) (*Staged, error) {
	path := d.paths.state + incomingSuffix
	s, err := d.stage(path, content, size)
	if err != nil {
		_ = os.Remove(path) // err is the error to report
		return nil, fmt.Errorf("storage: checkpoint from a peer: %w", err)
	}
	return s, nil
}

func (d *Disk) stage(path string, content io.Reader, size int64) (*Staged, error) {
	if size <= 0 || size%pageMultiple != 0 {
		return nil, fmt.Errorf("%w: a checkpoint can't have %d bytes", ErrCorrupt, size)
	}
	if err := CheckSpace(filepath.Dir(path), size); err != nil {
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
		return nil, fmt.Errorf("%w: it is of cluster %x, but this member is of cluster %x",
			ErrForeign, data.meta.identity.ClusterID, d.identity.ClusterID)
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

// CheckSpace returns an error if a file of size bytes does not fit into dir.
func CheckSpace(dir string, size int64) error {
	if free := freeBytes(dir); size > free-freeForLog {
		return fmt.Errorf("a file of %d bytes is to be written, but only %d bytes are free in %s: make space on that disk", size, free, dir)
	}
	return nil
}

// receive writes size bytes of content to a file. It does not sync the file.
func receive(path string, content io.Reader, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(content, size))
	if err == nil && n != size {
		err = fmt.Errorf("only %d of %d bytes were received: %w", n, size, io.ErrUnexpectedEOF)
	}
	return errors.Join(err, f.Close())
}

// loadMeta reads the bucket meta of the checkpoint at path.
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

// Install replaces this member's checkpoint by a staged one, durably, and deletes the log
// before it. It must not run beside Append. An error is final: every later call returns
// ErrFailed, and the next Open finds one of the two checkpoints whole.
func (d *Disk) Install(s *Staged) error {
	d.closing.RLock()
	defer d.closing.RUnlock()
	defer d.DeferCompaction()()
	d.checkpointing.Lock()
	defer d.checkpointing.Unlock()
	if err := d.usable(); err != nil {
		return err
	}
	// The order is that of a checkpoint: at any moment the log can be opened at the position
	// that state.db names.
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
	d.sinceCheckpoint.Store(0)
	d.doubt(nil) // the old file was replaced
	d.releaseLog()
	return nil
}
