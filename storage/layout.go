package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// contents is the kind of content of a data directory.
type contents int

const (
	noData     contents = iota // nothing, or the remains of an interrupted Create, Restore, Import or Backup
	memberData                 // a member's checkpoint and log
)

// inspect looks at the files and changes nothing. It returns an error if the directories hold
// anything else than a member's data or the remains of an interrupted Create, Restore, Import
// or Backup.
func (p paths) inspect() (contents, error) {
	for _, dir := range []string{p.dir, p.wal} {
		if err := refuseFile(dir); err != nil {
			return noData, err
		}
	}
	hasState, err := exists(p.state)
	if err != nil {
		return noData, err
	}
	list, err := segments(p.wal)
	if err != nil {
		return noData, err
	}
	switch {
	case hasState && len(list) > 0:
		return memberData, nil
	case hasState:
		return noData, fmt.Errorf("storage: %w: %s exists, but its log in %s does not: "+
			"if the log was moved, give its directory with --wal-dir; otherwise %s",
			ErrCorrupt, p.state, p.wal, restoreAdvice)
	}
	if err := p.refuseForeign(); err != nil {
		return noData, err
	}
	if len(list) == 0 {
		return noData, nil
	}
	return noData, p.refuseUsedLog()
}

// requireData returns ErrNoData if the directory holds no member's data.
func (p paths) requireData() error {
	c, err := p.inspect()
	if err == nil && c == noData {
		err = fmt.Errorf("storage: %w: %s holds none", ErrNoData, p.dir)
	}
	return err
}

// refuseFile returns an error if path, or a path above it, is a file and not a directory.
// Other errors appear when the path is used.
func refuseFile(path string) error {
	for at, above := path, ""; at != above; at, above = filepath.Dir(at), at {
		info, err := os.Stat(at)
		switch {
		case err == nil && info.IsDir():
			return nil
		case err == nil:
			return fmt.Errorf("storage: %s can't hold data: %s: %w; choose another directory", path, at, syscall.ENOTDIR)
		case !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
			return nil
		}
	}
	return nil
}

// refuseForeign returns an error if one of the directories holds files of other programs.
func (p paths) refuseForeign() error {
	if is, err := exists(filepath.Join(p.dir, "member")); err != nil || is {
		if err != nil {
			return err
		}
		return fmt.Errorf("storage: %w: %s holds data of etcd (member/): choose another --data-dir, "+
			"and bring the data along with pando import-etcd", ErrForeign, p.dir)
	}
	ours := map[string]bool{
		lockName: true, tlsName: true, tornName: true, walName: true, walName + tempSuffix: true, stateName + tempSuffix: true,
	}
	if err := refuseOthers(p.dir, func(name string) bool { return ours[name] }); err != nil {
		return fmt.Errorf("%w: choose another --data-dir", err)
	}
	log := func(name string) bool {
		return strings.HasSuffix(name, tempSuffix) || filepath.Ext(name) == segmentExt
	}
	if err := refuseOthers(p.wal, log); err != nil {
		return fmt.Errorf("%w: choose another --wal-dir", err)
	}
	return nil
}

// refuseOthers returns an error if a file in dir has a name for which ours reports false.
// It ignores hidden files, and those that file systems make.
func refuseOthers(dir string, ours func(name string) bool) error {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("storage: %w", err)
	}
	for _, f := range files {
		name := f.Name()
		if !ours(name) && !strings.HasPrefix(name, ".") && name != "lost+found" {
			return fmt.Errorf("storage: %w: %s is not empty: %q is not a file of Pando", ErrForeign, dir, name)
		}
	}
	return nil
}

// refuseUsedLog returns an error for a log without a checkpoint, unless an interrupted Create,
// Restore, Import or Backup has left it: these rename state.db last, so nothing was appended by a
// member.
func (p paths) refuseUsedLog() error {
	if p.restoreInterrupted() {
		return nil
	}
	sc, err := scanLog(p.wal, position{})
	if err == nil && len(sc.terms) == 0 && sc.state == (hardState{}) && !sc.torn {
		return nil
	}
	if errors.Is(err, ErrForeign) || errors.Is(err, ErrNewerFormat) || errors.Is(err, ErrOlderFormat) {
		return err
	}
	return fmt.Errorf("storage: %w: %s is missing, but the log in %s has entries: if a backup into this directory was interrupted, "+
		"delete the directory and make the backup again; otherwise put the file back, or %s", ErrCorrupt, p.state, p.wal, restoreAdvice)
}

// restoreInterrupted reports whether an interrupted Restore or Import has left the log: the checkpoint still has
// its unfinished name, both are of the same member, and no entries follow.
func (p paths) restoreInterrupted() bool {
	m, err := loadMeta(p.state + tempSuffix)
	if err != nil {
		return false
	}
	sc, err := scanLog(p.wal, m.position)
	return err == nil && len(sc.terms) == 0 && *sc.identity == m.identity
}

// removeRemains removes the remains of an interrupted Create, Restore, Import or Backup. It removes the
// unfinished checkpoint last, because restoreInterrupted needs it.
func (p paths) removeRemains() error {
	if err := os.RemoveAll(p.wal + tempSuffix); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	files, err := os.ReadDir(p.wal)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("storage: %w", err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), tempSuffix) || filepath.Ext(f.Name()) == segmentExt {
			if err := os.RemoveAll(filepath.Join(p.wal, f.Name())); err != nil {
				return fmt.Errorf("storage: %w", err)
			}
		}
	}
	if err := os.Remove(p.state + tempSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("storage: %w", err)
	}
	return nil
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("storage: %w", err)
	}
	return true, nil
}
