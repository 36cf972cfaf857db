package etcdv2

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"pando/storage/etcdv3"
	"pando/tree"
)

// API is the choice of the data that are read.
type API string

// The values of API.
const (
	Both API = "both" // all data
	V2   API = "v2"   // those of v2 alone
	V3   API = "v3"   // those of v3 alone
)

// Options say what is read.
type Options struct {
	// DataDir is the data directory of the member, or a file that `etcdctl snapshot save` has written.
	DataDir string
	// API is the choice of the data. Empty means Both.
	API API
	// SkipHashCheck reads a file that has no checksum, or a wrong one.
	SkipHashCheck bool
	// WALDir is the directory of the log. Empty means DataDir/member/wal.
	WALDir string
	// HistorySize is the number of events in the history of the tree.
	HistorySize int
	// Follow makes a tree that follows the etcd from which the directory was copied: see tree.Store.Follow. It has the data of v2 alone.
	Follow bool
	// Progress, unless nil, is called with the bytes that were read since the last call, and the total of bytes to read.
	Progress func(bytes, total int64)
}

// Imported is the state of a member of etcd.
type Imported struct {
	// Store is the tree. The caller owns it.
	Store *tree.Store
	// Applied and Term are the index and the term of the last entry of the log that is in the state.
	Applied, Term uint64
	Report        Report
}

// Report says what was found.
type Report struct {
	// Keys, Directories: nodes by kind. Hidden is how many of both are hidden, or below a hidden one. TTLs is how many of both
	// expire.
	Keys, Directories, Hidden, TTLs int
	Users, Roles                    int // without the role root
	AuthEnabled                     bool
	// Events is the number of events in the history, OldestEvent the index of the first one.
	Events      int
	OldestEvent uint64
	// ClusterID is the ID of the cluster, as etcd sent it to its clients. It is zero if it is not known: see Backup.
	ClusterID uint64
	// Backup says that "etcdctl backup" made the directory. It gives the copy another cluster ID, and leaves out what etcd wrote to
	// its log about members. Each of these entries took an index, so that later indexes in the copy are lower than in the source.
	Backup bool
	// HasV2 says that data of v2 are in the tree. Keys, Directories, Hidden, TTLs, Events and OldestEvent count these.
	HasV2 bool
	// V3 describes the data of v3 in the tree. It is nil if there are none.
	V3 *KeysReport
	// Index is the index of the store, ClusterVersion the version of the cluster, empty if it was never decided.
	Index          uint64
	ClusterVersion string
	// Snapshot is the file of the snapshot that was used, empty for none. Entries is the number of entries of the log after it.
	Snapshot string
	Entries  int
	// Digest is a checksum of the whole state. The same state has the same digest everywhere, in etcd and in Pando, unless
	// something was left out or replaced between the two.
	Digest [sha256.Size]byte
	// Locked are the users with a password that etcd can't check. Read leaves it empty.
	Locked []string
	// LeftOut is the number of nodes that were not brought along, without those below them. Notes say what was left out, and
	// what else the operator should know. Each is a sentence without a period.
	LeftOut int
	Notes   []string
}

// KeysReport describes data of v3.
type KeysReport struct {
	// Keys is the number of keys, Leases that of the leases, and LeasedKeys how many keys are attached to one.
	Keys               int64
	Leases, LeasedKeys int
	// Revision is the current revision, and Compacted that of the last compaction, or zero. Changes is the number of changes in the file.
	Revision, Compacted uint64
	Changes             int
	// File is etcd's file of v3. Requests is the number of requests of the log after it.
	File     string
	Requests int
}

func (r *Report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *Report) count(f *tree.NodeFields) {
	if f.Dir {
		r.Directories++
	} else {
		r.Keys++
	}
	if strings.Contains(f.Path, "/_") {
		r.Hidden++
	}
	if f.Expires != 0 {
		r.TTLs++
	}
}

func (r *Report) addEvent(index uint64) {
	if r.Events == 0 {
		r.OldestEvent = index
	}
	r.Events++
}

// Read reads the data of a stopped member. It changes nothing. The errors are ErrDamaged, ErrNotEtcd, ErrRunning, that of ctx, and
// those of the file system.
func Read(ctx context.Context, o Options) (*Imported, error) {
	if o.Follow {
		o.API = V2
	}
	if info, err := os.Stat(o.DataDir); err == nil && info.Mode().IsRegular() {
		return readSnapshot(ctx, o)
	}
	src, err := findSource(o.DataDir, o.WALDir)
	if err != nil {
		return nil, err
	}
	if err := src.refuseRunning(); err != nil {
		return nil, err
	}
	found := new(Imported)
	r := &reader{ctx: ctx, options: o, source: src, report: &found.Report}
	r.log = &log{files: src.logs, progress: r.progress}
	for _, f := range src.logs {
		r.total += 2 * f.size
	}
	defer func() { _ = r.keys.Close() }() // it was only read
	s, at, err := r.state()
	if err != nil {
		return nil, err
	}
	found.Applied, found.Term = at.index, at.term
	if found.Store, err = r.tree(s); err != nil {
		return nil, err
	}
	if o.Follow {
		found.Store.Follow()
	}
	found.finish()
	return found, nil
}

// finish sets what the report says about the whole tree.
func (i *Imported) finish() {
	at := position{i.Applied, i.Term}
	i.Report.Index, i.Report.Digest = i.Store.View().Index(), digest(i.Store, at)
	if i.Report.V3 != nil {
		i.Report.V3.describe(i.Store.View())
		i.Report.Digest = keysDigest(i.Store, i.Report.Digest)
	}
}

// reader has the state of one call of Read.
type reader struct {
	ctx     context.Context
	options Options
	source  *source
	log     *log
	report  *Report
	total   int64

	keys    *etcdv3.File // nil if it is missing, or not needed
	hasKeys bool         // there are data of v3
	after   []entry      // the v3 requests after those that are in keys
}

func (r *reader) progress(bytes int64) {
	if r.options.Progress != nil {
		r.options.Progress(bytes, r.total)
	}
}

// state returns the model after the last committed entry, and the position of that entry.
func (r *reader) state() (*store, position, error) {
	survey, err := r.log.survey(r.ctx)
	if err != nil {
		return nil, position{}, err
	}
	if survey.torn != "" {
		r.report.note("the log ends in an interrupted write, which was never acknowledged: it was left out (%s)", survey.torn)
	}
	r.noteIdentity(survey.member)
	s, at, err := r.snapshot(survey)
	if err != nil {
		return nil, position{}, err
	}
	if err := r.openKeys(at.index); err != nil {
		return nil, position{}, err
	}
	rest, err := r.log.after(r.ctx, at, r.keysIndex())
	if err != nil {
		return nil, position{}, err
	}
	if rest.last.index < survey.state.commit {
		f := r.source.logs[len(r.source.logs)-1]
		return nil, position{}, recordError(f.path, f.size,
			fmt.Sprintf("the log ends with entry %d, but entry %d was committed", rest.last.index, survey.state.commit))
	}
	if r.keys != nil {
		rest.commit(r.keys.ConsistentIndex) // etcd applies only what is committed
	}
	r.hasKeys = r.hasKeys || rest.hasV3
	if err := r.replay(s, rest.committed); err != nil {
		return nil, position{}, err
	}
	if len(rest.undecided) > 0 {
		err = r.decide(s, rest)
	}
	return s, rest.last, err
}

// decide replays the entries after the commit index of the member, if it is the only member of its cluster: etcd commits all entries of
// such a log when it starts again, and may have acknowledged them. If the cluster has several members, a note says how many entries there
// are.
func (r *reader) decide(s *store, rest *section) error {
	n := len(rest.undecided)
	known, err := (&applier{store: s}).members()
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, r.source.dataDir, err)
	}
	if len(known) != 1 {
		r.report.note("the entries after entry %d were left out (%d of them): the data of this member do not show whether they were committed; "+
			"if etcd was killed, start its whole cluster once more, stop it and import then", rest.last.index, n)
		return nil
	}
	from := len(rest.committed)
	rest.commit(math.MaxUint64)
	return r.replay(s, rest.committed[from:])
}

// noteIdentity sets ClusterID and Backup of the report.
func (r *reader) noteIdentity(i identity) {
	if r.report.Backup = i.isBackup(); !r.report.Backup {
		r.report.ClusterID = i.cluster
		return
	}
	r.report.note("this is a copy by etcdctl backup, in which indexes may be lower than in etcd, and which has another cluster ID; " +
		"a copy of the whole directory, as with cp -a, has the indexes and the ID of etcd")
}

// snapshot returns the model that the newest usable snapshot holds, or that of a new member.
func (r *reader) snapshot(survey *survey) (*store, position, error) {
	var unusable error
	for _, f := range r.source.snaps {
		if !survey.confirms(f.at) {
			continue // etcd was stopped while it made it, or has lost the log
		}
		content, offset, err := readSnapFile(f)
		if err == nil {
			var s *store
			r.total += int64(len(content))
			s, err = recoverStore(content, r.options.HistorySize, func(bytes int64) error {
				r.progress(bytes)
				return r.ctx.Err()
			})
			if err == nil {
				r.report.Snapshot = f.path
				return s, f.at, nil
			}
			if r.ctx.Err() != nil {
				return nil, position{}, r.ctx.Err()
			}
			err = fmt.Errorf("%w: %s, offset %d: %w", ErrDamaged, f.path, offset, err)
		}
		if unusable == nil {
			unusable = err
		}
		r.report.note("a damaged snapshot was not used; an older state and the log after it give the same result (%v)", err)
	}
	if _, err := r.log.filesFrom(0); err != nil {
		if unusable != nil {
			err = unusable
		}
		return nil, position{}, err
	}
	return newStore(r.options.HistorySize), position{}, nil
}

// replay carries out the entries on the model, and keeps the v3 requests.
func (r *reader) replay(s *store, entries []entry) error {
	version := prepare(entries, versionOf(s))
	s.dirTTLs = !atLeast35(version)
	r.report.ClusterVersion = version
	r.report.Entries += len(entries)
	a := &applier{store: s}
	for i := range entries {
		e := &entries[i]
		s.now = e.time
		if err := a.apply(*e); err != nil {
			return fmt.Errorf("%w: %s, offset %d, entry %d: %w", ErrDamaged, e.file, e.offset, e.index, err)
		}
		e.data = nil
	}
	r.after = append(r.after, a.v3...)
	r.hasKeys = r.hasKeys || len(a.v3) > 0
	return nil
}

// versionOf returns the version of the cluster that is in the model; empty for none.
func versionOf(s *store) string {
	if n, _ := s.find(versionKey); n != nil {
		return n.value
	}
	return ""
}

// atLeast35 reports whether a version is 3.5 or newer.
func atLeast35(version string) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	major, _ := strconv.Atoi(parts[0])
	minor, _ := strconv.Atoi(parts[1])
	return major > 3 || major == 3 && minor >= 5
}
