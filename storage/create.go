package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/raft/v3/raftpb"

	"pando/tree"
)

// Exists reports whether the directory holds a member's data: then Open must be called, and
// otherwise Create. The remains of an interrupted Create are no data. Exists changes
// nothing. Its errors are those of Open, for data that can be neither opened nor replaced.
func Exists(o Options) (bool, error) {
	p, err := o.paths()
	if err != nil {
		return false, err
	}
	c, err := p.inspect()
	return c == memberData, err
}

// Create makes the data of a new member: an empty log and an empty checkpoint. Everything
// is durable when it returns. After a crash before that, Exists reports false and Create
// begins anew. The errors are ErrExists when the directory holds a member's data, and
// those of Open when it holds anything else.
func Create(o Options, id Identity) (*Disk, error) {
	p, err := o.paths()
	if err != nil {
		return nil, err
	}
	d, err := lockNewDir(p, o)
	if err != nil {
		return nil, err
	}
	if err := d.create(id); err != nil {
		d.lock.undo()
		return nil, err
	}
	return d, nil
}

// lockNewDir locks a directory for the data of a new member. It makes the directory if it does
// not exist, and removes the remains of an interrupted attempt.
func lockNewDir(p paths, o Options) (*Disk, error) {
	if err := p.refuseExisting(); err != nil {
		return nil, err
	}
	for _, dir := range []string{p.dir, filepath.Dir(p.wal)} {
		if err := makeDir(dir); err != nil {
			return nil, err
		}
	}
	lock, err := lockDir(p.lock)
	if err != nil {
		return nil, err
	}
	if err = p.refuseExisting(); err == nil { // another process may have made data meanwhile
		err = p.removeRemains()
	}
	if err != nil {
		lock.undo()
		return nil, err
	}
	return newDisk(p, o, lock), nil
}

// refuseExisting returns ErrExists if the directory holds a member's data.
func (p paths) refuseExisting() error {
	c, err := p.inspect()
	if err == nil && c == memberData {
		err = fmt.Errorf("storage: %w: %s holds a member's data", ErrExists, p.dir)
	}
	return err
}

// create makes an empty log and an empty checkpoint. Callers must hold the lock.
func (d *Disk) create(id Identity) error {
	w, err := d.createLog(id)
	if err != nil {
		return err
	}
	if err := createState(d.paths.state, id); err != nil {
		w.Close()
		return err
	}
	d.wal = w
	d.identity = id
	return nil
}

func (d *Disk) createLog(id Identity) (*wal.WAL, error) {
	w, err := wal.Create(quietLogger(d.lg), d.paths.wal, encodeMetadata(id))
	if err != nil {
		return nil, fmt.Errorf("storage: create the log in %s: %w", d.paths.wal, err)
	}
	return w, nil
}

// makeDir makes a directory and its parents, durably.
func makeDir(dir string) error {
	if is, err := exists(dir); err != nil || is {
		return err
	}
	if err := makeDir(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("storage: %w", err)
	}
	return syncDir(filepath.Dir(dir))
}

// EmptyRecovered is the content of a Disk that was just created: an empty tree, whose history keeps
// the last historySize events, and an empty log.
func EmptyRecovered(id Identity, historySize int) *Recovered {
	return &Recovered{
		Identity:  id,
		Store:     tree.New(historySize),
		ConfState: &raftpb.ConfState{},
		HardState: &raftpb.HardState{},
	}
}
