package storage

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ReadStopped reads and checks the data of a stopped member, and changes nothing. HardState and Entries hold everything that is
// in the log, also the entries at its end that may not be committed. A torn last write to the log is ignored. The history of the
// tree is loaded whole, and o.HistorySize is ignored. If the directory has a lock file, as after each start of a member, no member can be
// started from it until ReadStopped returns.
//
// The errors are ErrNoData, ErrLocked while a member runs, and those of Open.
func ReadStopped(o Options) (*Recovered, error) {
	p, err := o.paths()
	if err != nil {
		return nil, err
	}
	if err := p.requireData(); err != nil {
		return nil, err
	}
	lock, err := lockUnchanged(p.lock)
	if err != nil {
		return nil, err
	}
	if lock != nil {
		defer lock.Close()
	}
	data, err := loadState(p.state, maxSnapshotHistory)
	if err != nil {
		return nil, err
	}
	return p.readLog(data)
}

// lockUnchanged locks a data directory without a write to it. It returns nil if there is no lock file: then no member runs.
func lockUnchanged(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("storage: lock %s: %w", path, err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("storage: %w: another process holds %s: stop it first", ErrLocked, path)
	}
	return nil, fmt.Errorf("storage: lock %s: %w", path, err)
}

// LoadSnapshot reads and checks a whole snapshot file. The result has no entries. Its Identity is that of the member that saved the
// file. The history of the tree is loaded whole.
//
// The errors are those of InspectSnapshot.
func LoadSnapshot(path string) (*Recovered, error) {
	f, err := openSnapshot(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := f.load(path)
	if err != nil {
		return nil, err
	}
	return (&scan{replay: replay{start: data.meta.position}}).recovered(data)
}
