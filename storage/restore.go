package storage

import (
	"errors"
	"fmt"
	"os"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
)

// Founding is the identity and the configuration of a new member. When a member is restored
// from a snapshot, it replaces those in the file. It must be the same on all members that are
// restored to one cluster, except for the MemberID.
type Founding struct {
	Identity Identity
	// Voters are the IDs of all members.
	Voters []uint64
	// Members is stored unchanged. Open returns it.
	Members []byte
}

// Restore makes the data of a member of a new cluster from a snapshot file: the tree, with its
// history, TTLs and index. Everything is durable when it returns. After a crash before that,
// Exists reports false.
//
// The log is empty and continues after the position of the snapshot. So members restored
// from the same file have the same log and can elect a leader, and the indexes and terms
// that clients have seen never decrease. Members restored from different files must not
// have the same cluster ID: their logs would contradict each other.
//
// The errors are ErrExists when the directory holds a member's data, those of
// InspectSnapshot for the file, and those of Create for the directory.
func Restore(o Options, path string, founding Founding) error {
	p, err := o.paths()
	if err != nil {
		return err
	}
	if err := p.refuseExisting(); err != nil {
		return err
	}
	f, err := openSnapshot(path)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := f.load(path)
	if err != nil {
		return err
	}
	if data.meta.position.index == 0 {
		return fmt.Errorf("storage: %s: %w: it was saved before anything was committed: %s", path, ErrCorrupt, snapshotAdvice)
	}
	d, err := lockNewDir(p, o)
	if err != nil {
		return err
	}
	if err := d.restore(f, data.meta.position, founding); err != nil {
		d.lock.undo()
		return err
	}
	return d.lock.release()
}

// restore makes the new data. Callers must hold the lock.
func (d *Disk) restore(f *snapshotFile, at position, founding Founding) error {
	temp := d.paths.state + tempSuffix
	if err := receive(temp, f.checkpoint(), f.length); err != nil {
		return fmt.Errorf("storage: write %s: %w", temp, err)
	}
	vote := uint64(0)
	return d.beginMember(founding, at, &raftpb.HardState{Term: &at.term, Vote: &vote, Commit: &at.index}, nil)
}

// beginMember makes the data of a new member from a checkpoint, which still has its unfinished
// name, and entries after it. It renames the checkpoint last. Until then the unfinished name
// shows that no member has used the log beside it.
func (d *Disk) beginMember(founding Founding, at position, hs *raftpb.HardState, entries []*raftpb.Entry) error {
	temp := d.paths.state + tempSuffix
	m := &meta{
		identity: founding.Identity, position: at,
		conf: &raftpb.ConfState{Voters: founding.Voters}, members: founding.Members,
	}
	if err := errors.Join(setMeta(temp, m), syncDir(d.paths.dir)); err != nil {
		return fmt.Errorf("storage: write %s: %w", temp, err)
	}
	w, err := d.createLog(founding.Identity)
	if err != nil {
		return err
	}
	if err := errors.Join(beginLog(w, m, hs, entries), w.Close()); err != nil {
		return fmt.Errorf("storage: write the log in %s: %w", d.paths.wal, err)
	}
	if err := os.Rename(temp, d.paths.state); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	return syncDir(d.paths.dir)
}

// beginLog makes an empty log continue after the position of a checkpoint. After a crash
// between the two writes, refuseUsedLog still finds the log unused.
func beginLog(w *wal.WAL, m *meta, hs *raftpb.HardState, entries []*raftpb.Entry) error {
	if at := m.position; at.index > 0 { // a new log begins with the record of an empty checkpoint
		if err := w.SaveSnapshot(&walpb.Snapshot{Index: &at.index, Term: &at.term, ConfState: m.conf}); err != nil {
			return err
		}
	}
	return w.Save(hs, entries)
}
