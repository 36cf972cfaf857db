package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/raft/v3/raftpb"

	"pando/tree"
)

// Imported is the state of another program's store, from which a new member begins.
type Imported struct {
	// Store is the tree. Import makes it count revisions, and takes a delta of all of it.
	Store *tree.Store
	// Applied and Term are the position at which the new log begins. Both must be above zero.
	Applied, Term uint64
	// Progress, unless nil, is called from time to time with the number of nodes that were written.
	Progress func(nodes int64)
}

// progressInterval is the number of nodes between two calls of Progress.
const progressInterval = 1024

// Import makes the data of a member of a new cluster from the state of another program, as Restore makes it from a snapshot.
// Members that are made from the same state, with the same position, form one cluster. Everything is durable when Import
// returns. After an error it leaves nothing behind, and after a crash Exists reports false.
//
// The errors are ErrExists when the directory holds a member's data, and those of Create for the directory.
func Import(o Options, state Imported, founding Founding) error {
	p, err := o.paths()
	if err != nil {
		return err
	}
	if state.Applied == 0 || state.Term == 0 {
		return errors.New("storage: import: nothing was ever committed in the source")
	}
	if err := p.refuseExisting(); err != nil {
		return err
	}
	made := missingDirs(p.wal, p.dir)
	d, err := lockNewDir(p, o)
	if err == nil {
		if err = d.importState(state, founding); err == nil {
			return d.lock.release()
		}
		err = errors.Join(err, p.removeRemains())
		d.lock.undo()
	}
	for _, dir := range made {
		_ = os.Remove(dir) // err is the error to report; a directory that holds other files stays
	}
	return err
}

// importState makes the new data. Callers must hold the lock.
func (d *Disk) importState(state Imported, founding Founding) error {
	temp := d.paths.state + tempSuffix
	if err := writeEmptyState(temp, founding.Identity); err != nil {
		return fmt.Errorf("storage: write %s: %w", temp, err)
	}
	state.Store.StartRevisions()
	w := newCheckpointWriter(&Checkpoint{
		Delta: state.Store.TakeAll(), Applied: state.Applied, Term: state.Term,
		ConfState: &raftpb.ConfState{Voters: founding.Voters}, Members: founding.Members, Level: FeatureLevel,
	}, d.portionBytes)
	defer w.close()
	if state.Progress != nil {
		next, written := w.nextNode, int64(0)
		w.nextNode = func() (string, *tree.Node, bool) {
			if written++; written%progressInterval == 0 {
				state.Progress(written)
			}
			return next()
		}
	}
	if err := d.writePortions(temp, w, always); err != nil {
		return err
	}
	at, vote := position{state.Applied, state.Term}, uint64(0)
	return d.beginMember(founding, at, &raftpb.HardState{Term: &at.term, Vote: &vote, Commit: &at.index}, nil)
}

// missingDirs returns those of the directories, and of the directories above them, that do not exist. Each comes before those
// above it; one that is above several directories is there several times.
func missingDirs(dirs ...string) []string {
	var missing []string
	for _, dir := range dirs {
		for {
			if is, err := exists(dir); err != nil || is {
				break
			}
			missing = append(missing, dir)
			dir = filepath.Dir(dir)
		}
	}
	return missing
}
