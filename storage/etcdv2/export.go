package etcdv2

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"pando/tree"
)

// Export says what Write writes: the state of a Pando member, as the data of a member of a cluster of etcd that begins with it.
type Export struct {
	// Store is the tree. Write takes a delta of all of it.
	Store *tree.Store
	// Applied and Term are the position at which the new log begins. Both must be above zero.
	Applied, Term uint64
	// ClusterID is the ID of the cluster, Self the ID of this member.
	ClusterID, Self uint64
	// Members are all members of the cluster, which are voters.
	Members []ExportedMember
	// RootHash, unless empty, is a bcrypt hash that replaces the password of the user root.
	RootHash string
	// Progress, unless nil, is called from time to time with the number of nodes that were written, in two passes.
	Progress func(nodes int64)
}

// ExportedMember is a member of the new cluster.
type ExportedMember struct {
	ID       uint64
	PeerURLs []string
}

// ErrTargetExists means that the target of Write exists.
var ErrTargetExists = errors.New("the directory exists")

// Prepare checks the state and describes what Write will write. It writes nothing. Report.Locked names the users who can't log in to etcd.
func Prepare(ctx context.Context, x Export) (*Report, error) {
	if x.Applied == 0 || x.Term == 0 {
		return nil, errors.New("nothing was ever committed")
	}
	v := x.Store.View()
	if v.Mirror() != nil {
		return nil, errors.New("the cluster follows an etcd: that etcd has all of this, so there is no way to go back")
	}
	w := newExportWriter(ctx, &x, new(countingWriter))
	if err := w.store(); err != nil {
		return nil, err
	}
	w.report.Index, w.report.ClusterID = v.Index(), x.ClusterID
	w.report.Digest = digest(x.Store, position{x.Applied, x.Term})
	w.report.noteReplaced(&w.replaced)
	w.report.noteLocked()
	return w.report, nil
}

// Write makes a data directory of etcd at dir, which must not exist. Everything is durable when Write returns. After an error nothing is
// left behind; a crash may leave a directory beside dir, whose name ends with ".unfinished".
//
// The errors are ErrTargetExists, that of ctx, and those of the file system.
func Write(ctx context.Context, dir string, x Export) (err error) {
	if err := RefuseTarget(dir); err != nil {
		return err
	}
	above := filepath.Dir(dir)
	made := missingAbove(dir)
	if err := os.MkdirAll(above, 0o700); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			for _, d := range made {
				_ = os.Remove(d) // err is the error to report; a directory that holds other files stays
			}
		}
	}()
	temp, err := os.MkdirTemp(above, filepath.Base(dir)+".*.unfinished")
	if err != nil {
		return err
	}
	if err = writeMember(ctx, temp, &x); err == nil {
		err = os.Rename(temp, dir) // replaces nothing but an empty directory
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	for _, d := range append([]string{above}, parents(made)...) {
		if err = syncDir(d); err != nil {
			return errors.Join(err, os.RemoveAll(dir))
		}
	}
	return nil
}

// RefuseTarget returns ErrTargetExists if there is something at the place of a new directory.
func RefuseTarget(dir string) error {
	_, err := os.Lstat(dir)
	switch {
	case err == nil:
		return fmt.Errorf("%w: %s", ErrTargetExists, dir)
	case errors.Is(err, os.ErrNotExist):
		return nil
	}
	return err
}

// missingAbove returns the directories above a path that do not exist, the deepest first.
func missingAbove(path string) []string {
	var missing []string
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return missing
		}
		missing = append(missing, dir)
	}
}

// parents returns the directory above each of the directories.
func parents(dirs []string) []string {
	var all []string
	for _, dir := range dirs {
		all = append(all, filepath.Dir(dir))
	}
	return all
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// writeMember writes all files of the member below dir, and syncs them.
func writeMember(ctx context.Context, dir string, x *Export) error {
	snapDir, walDir := filepath.Join(dir, "member", "snap"), filepath.Join(dir, "member", "wal")
	for _, d := range []string{snapDir, walDir} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	at := position{x.Applied, x.Term}
	name := fmt.Sprintf("%016x-%016x%s", at.term, at.index, snapSuffix)
	if err := writeSnapFile(ctx, filepath.Join(snapDir, name), x, at); err != nil {
		return err
	}
	if err := writeDB(filepath.Join(snapDir, "db"), x, at); err != nil {
		return err
	}
	if err := writeLog(filepath.Join(walDir, fmt.Sprintf("%016x-%016x%s", 0, 0, logSuffix)), x, at); err != nil {
		return err
	}
	for _, d := range []string{snapDir, walDir, filepath.Dir(walDir), dir} {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// voters returns the IDs of the members in ascending order.
func (x *Export) voters() []uint64 {
	var ids []uint64
	for _, m := range x.Members {
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	return ids
}
