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

// Exists reports whether the directory holds a member's data, so that it is to be
// opened and not created. What an interrupted Create left does not count. It
// changes nothing, and returns the errors of Open for data that can be neither
// opened nor replaced.
func Exists(o Options) (bool, error) {
	p, err := o.paths()
	if err != nil {
		return false, err
	}
	c, err := p.inspect()
	return c == memberData, err
}

// Create makes the data of a new member: an empty log and an empty checkpoint. All
// is durable when it returns. A crash before that leaves a directory in which
// Exists finds nothing and Create begins anew. It returns ErrExists for a member's
// data, and the errors of Open for a directory that is not free.
func Create(o Options, id Identity) (*Disk, error) {
	p, err := o.paths()
	if err != nil {
		return nil, err
	}
	d, err := takeDir(p, o)
	if err != nil {
		return nil, err
	}
	if err := d.create(id); err != nil {
		d.lock.undo()
		return nil, err
	}
	return d, nil
}

// takeDir takes a directory for the data of a new member, makes it if it is not
// there, and removes what an interrupted attempt left.
func takeDir(p paths, o Options) (*Disk, error) {
	if err := p.refuseData(); err != nil {
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
	if err = p.refuseData(); err == nil { // another process may have been faster
		err = p.clear()
	}
	if err != nil {
		lock.undo()
		return nil, err
	}
	return newDisk(p, o, lock), nil
}

func (p paths) refuseData() error {
	c, err := p.inspect()
	if err == nil && c == memberData {
		err = fmt.Errorf("storage: %w: %s holds a member's data", ErrExists, p.dir)
	}
	return err
}

// create runs under the lock.
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
	w, err := wal.Create(quietLogger(d.lg), d.paths.wal, encodeHead(id))
	if err != nil {
		return nil, fmt.Errorf("storage: create the log in %s: %w", d.paths.wal, err)
	}
	return w, nil
}

// makeDir makes a directory and those above it, durably.
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

// Fresh is the content of a Disk that was just created: an empty tree, whose history keeps
// the last historySize events, and an empty log.
func Fresh(id Identity, historySize int) *Recovered {
	return &Recovered{
		Identity:  id,
		Store:     tree.New(historySize),
		ConfState: &raftpb.ConfState{},
		HardState: &raftpb.HardState{},
	}
}
