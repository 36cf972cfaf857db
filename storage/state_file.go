package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"go.etcd.io/raft/v3/raftpb"
)

// writePortions runs the transactions of w on the file at path, as long as goOn reports
// true.
func (d *Disk) writePortions(path string, w *checkpointWriter, goOn func() bool) error {
	for !w.done && goOn() {
		pages, err := d.changeState(path, w.step)
		if err != nil {
			return err
		}
		w.stats.PageBytes += pages
	}
	return nil
}

// rewriteState writes a new state.db and renames it over the old one. It reads nothing of the
// old one. It calls goOn before each transaction. When goOn reports false, it stops and the
// old file stays. It reports whether the file was replaced.
func (d *Disk) rewriteState(w *checkpointWriter, goOn func() bool) (replaced bool, err error) {
	temp := d.paths.state + tempSuffix
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, fmt.Errorf("storage: %w", err)
	}
	err = writeEmptyState(temp, d.identity)
	if err == nil {
		err = d.writePortions(temp, w, goOn)
	}
	if err != nil || !w.done {
		_ = os.Remove(temp) // the next attempt removes it, too
		if err != nil {
			err = fmt.Errorf("storage: write a new %s: %w", d.paths.state, err)
		}
		return false, err
	}
	if err := os.Rename(temp, d.paths.state); err != nil {
		return false, fmt.Errorf("storage: %w", err)
	}
	if err := d.syncDir(d.paths.dir); err != nil {
		// A crash may bring the old file back, which needs log segments that later checkpoints delete. The next checkpoint
		// must therefore write the file anew, and sync the directory.
		d.doubt(err)
		return true, err
	}
	return true, nil
}

// changeState runs one transaction on the checkpoint at path and gives the bytes of the
// pages that it wrote. The file is open only during the transaction: bbolt maps it into
// memory, and every page that was touched counts as memory of this process until the
// mapping ends.
func (d *Disk) changeState(path string, change func(*bbolt.Tx) error) (pages int64, err error) {
	// bbolt follows the pointers of a damaged page to any address.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("storage: %w: %s: %v", ErrCorrupt, path, r)
		}
		d.doubtAfter(err)
	}()
	db, err := openBolt(path, mapBytes)
	if err != nil {
		for _, invalid := range []error{berrors.ErrInvalid, berrors.ErrVersionMismatch, berrors.ErrChecksum} {
			if errors.Is(err, invalid) {
				err = damaged("%v", err)
			}
		}
		return 0, fmt.Errorf("storage: open %s: %w", path, err)
	}
	err = d.update(db, func(tx *bbolt.Tx) error {
		tx.OnCommit(func() { stats := tx.Stats(); pages = stats.GetPageAlloc() })
		return change(tx)
	})
	if err = errors.Join(err, db.Close()); err != nil {
		err = fmt.Errorf("storage: write %s: %w", path, err)
	}
	return pages, err
}

// doubt records why state.db must not be changed any more, or nil when it may be.
func (d *Disk) doubt(err error) {
	d.stateFailure = err
	d.needsAll.Store(err != nil)
}

// NeedsAll reports whether the content of state.db is in doubt, after an error of the disk
// or because the file is damaged. The delta of the next checkpoint must then hold the whole
// tree: see tree.Store.TakeAll. It may be called from any goroutine.
func (d *Disk) NeedsAll() bool { return d.needsAll.Load() }

// mapBytes is how much address space bbolt reserves, so that the file can grow in a
// transaction. When it is not enough, bbolt copies all pages that it holds in memory.
const mapBytes = 256 << 20

// openBolt opens or makes a bbolt file for writing.
func openBolt(path string, mapBytes int) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:         time.Second, // for the lock of the file
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: mapBytes,
		NoStatistics:    true,
	})
	if err == nil {
		// When a transaction needs a larger file, the file grows by this much beyond the need.
		db.AllocSize = 1 << 20
	}
	return db, err
}

// createState writes an empty checkpoint under an unfinished name and then renames it.
func createState(path string, id Identity) error {
	temp := path + tempSuffix
	if err := writeEmptyState(temp, id); err != nil {
		return fmt.Errorf("storage: create %s: %w", path, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// writeEmptyState makes the file of a checkpoint of an empty tree.
func writeEmptyState(path string, id Identity) error {
	return updateFile(path, func(tx *bbolt.Tx) error {
		top, err := tx.CreateBucket(metaBucket)
		if err != nil {
			return err
		}
		keys, err := tx.CreateBucket(keysBucket)
		if err != nil {
			return err
		}
		for _, name := range [][]byte{nodesBucket, historyBucket, deltaBucket} {
			if _, err := keys.CreateBucket(name); err != nil {
				return err
			}
		}
		if err := putSealed(keys, totalsKey, new(treeTotals).encode()); err != nil {
			return err
		}
		if err := putFormat(top, stateFormat); err != nil {
			return err
		}
		if err := putIdentity(tx, id); err != nil {
			return err
		}
		return putMeta(top, &meta{conf: &raftpb.ConfState{}})
	})
}

// setIdentity replaces the identity in a checkpoint, durably.
func setIdentity(path string, id Identity) error {
	return updateFile(path, func(tx *bbolt.Tx) error { return putIdentity(tx, id) })
}

// setMeta replaces everything that a checkpoint says about its member, durably.
func setMeta(path string, m *meta) error {
	return updateFile(path, func(tx *bbolt.Tx) error {
		if err := putIdentity(tx, m.identity); err != nil {
			return err
		}
		return putMeta(tx.Bucket(metaBucket), m)
	})
}

func putIdentity(tx *bbolt.Tx, id Identity) error {
	return putSealed(tx.Bucket(metaBucket), identityKey, appendWords(nil, id.ClusterID, id.MemberID))
}

// updateFile runs one transaction on a checkpoint that is not in use.
func updateFile(path string, change func(*bbolt.Tx) error) error {
	db, err := openBolt(path, 0)
	if err != nil {
		return err
	}
	return errors.Join(db.Update(change), db.Close())
}
