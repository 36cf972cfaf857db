package etcdv2

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The kinds of errors of Read, for errors.Is.
var (
	// ErrDamaged means that a file is not what etcd wrote, or that one is missing. The error names the file and the offset.
	ErrDamaged = errors.New("etcd's data is damaged")
	// ErrNotEtcd means that the directory does not hold the data of a member of etcd, or not those that were asked for.
	ErrNotEtcd = errors.New("not the data of an etcd member")
	// ErrRunning means that a process uses the directory.
	ErrRunning = errors.New("etcd is running")
	// ErrClash means that the data of v2 and of v3 can't lie in one tree.
	ErrClash = errors.New("the data of v2 and of v3 clash")
	// ErrInexact means that the files are intact, but a request in the log can't be carried out exactly.
	ErrInexact = errors.New("the log can't be replayed exactly")
)

// source is the files of a member.
type source struct {
	dataDir string
	snapDir string
	walDir  string
	logs    []logFile
	snaps   []snapFile // the newest first
}

// logFile is a file of the log. first is the index of the first entry that may be in it.
type logFile struct {
	path       string
	seq, first uint64
	size       int64
}

// snapFile is the file of a snapshot.
type snapFile struct {
	path string
	at   position // of the last entry that is in it
}

const (
	logSuffix  = ".wal"
	snapSuffix = ".snap"
)

// findSource lists the files of a member. walDir is empty if the log is in the data directory.
func findSource(dataDir, walDir string) (*source, error) {
	s := &source{dataDir: dataDir, snapDir: filepath.Join(dataDir, "member", "snap"), walDir: walDir}
	if walDir == "" {
		s.walDir = filepath.Join(dataDir, "member", "wal")
	}
	if err := s.refuseForeign(); err != nil {
		return nil, err
	}
	if err := s.listLogs(); err != nil {
		return nil, err
	}
	return s, s.listSnaps()
}

// refuseForeign returns an error that says what the directory is instead.
func (s *source) refuseForeign() error {
	info, err := os.Stat(s.dataDir)
	if err != nil {
		return fmt.Errorf("%w; give the directory that etcd had in --data-dir", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%w: %s is a file: give the directory that etcd had in --data-dir", ErrNotEtcd, s.dataDir)
	}
	has := func(names ...string) bool {
		_, err := os.Stat(filepath.Join(append([]string{s.dataDir}, names...)...))
		return err == nil
	}
	switch {
	case has("state.db"):
		return fmt.Errorf("%w: %s is a data directory of Pando: start pando with it, or use pando snapshot", ErrNotEtcd, s.dataDir)
	case has("proxy") && !has("member"):
		return fmt.Errorf("%w: %s is the directory of a proxy, which has no keys: give that of a member", ErrNotEtcd, s.dataDir)
	case has("snapshot") && has("log") && !has("member"):
		return fmt.Errorf("%w: %s was written by etcd 0.4: start etcd 2.3 with it once, then stop that and import", ErrNotEtcd, s.dataDir)
	case !has("member") && (has("snap") || has("wal")):
		return fmt.Errorf("%w: %s is the inner directory of a member: give the one above it", ErrNotEtcd, s.dataDir)
	case !has("member"):
		return fmt.Errorf("%w: %s has no directory member: give the directory that etcd had in --data-dir", ErrNotEtcd, s.dataDir)
	case s.walDir == filepath.Join(s.dataDir, "member", "wal") && !has("member", "wal"):
		return fmt.Errorf("%w: %s has no directory member/wal: if etcd had its log elsewhere, give that directory in --from-wal-dir",
			ErrNotEtcd, s.dataDir)
	}
	return nil
}

// listLogs lists the files of the log in order, and returns an error if one between them is missing.
func (s *source) listLogs() error {
	files, err := os.ReadDir(s.walDir)
	if err != nil {
		return err
	}
	for _, f := range files {
		stem, ok := strings.CutSuffix(f.Name(), logSuffix)
		if !ok {
			continue // unfinished and broken files have other endings
		}
		l := logFile{path: filepath.Join(s.walDir, f.Name())}
		if !parseName(stem, &l.seq, &l.first) {
			continue // etcd ignores it, too
		}
		info, err := f.Info()
		if err != nil {
			return err
		}
		l.size = info.Size()
		s.logs = append(s.logs, l)
	}
	if len(s.logs) == 0 {
		return fmt.Errorf("%w: %s has no file of a log", ErrNotEtcd, s.walDir)
	}
	slices.SortFunc(s.logs, func(a, b logFile) int { return strings.Compare(a.path, b.path) })
	for i, l := range s.logs[1:] {
		if before := s.logs[i]; l.seq != before.seq+1 {
			return fmt.Errorf("%w: %s: a file between it and %s is missing", ErrDamaged, l.path, filepath.Base(before.path))
		}
	}
	return nil
}

// listSnaps lists the files of the snapshots, the newest first. The directory may be missing.
func (s *source) listSnaps() error {
	files, err := os.ReadDir(s.snapDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, f := range files {
		stem, ok := strings.CutSuffix(f.Name(), snapSuffix)
		if !ok {
			continue
		}
		n := snapFile{path: filepath.Join(s.snapDir, f.Name())}
		if parseName(stem, &n.at.term, &n.at.index) {
			s.snaps = append(s.snaps, n)
		}
	}
	slices.SortFunc(s.snaps, func(a, b snapFile) int { return strings.Compare(b.path, a.path) })
	return nil
}

// parseName parses two numbers of 16 hexadecimal digits with a dash between them.
func parseName(stem string, first, second *uint64) bool {
	_, err := fmt.Sscanf(stem, "%016x-%016x", first, second)
	return err == nil && fmt.Sprintf("%016x-%016x", *first, *second) == stem
}
