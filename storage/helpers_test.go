package storage

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/raft/v3/raftpb"

	"pando/tree"
	"pando/tree/users"
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	wal.SegmentSizeBytes = 64 << 10
	if flag.Lookup("test.bench").Value.String() == "" { // a benchmark measures the disk, too
		defer useMemory()()
	}
	return m.Run()
}

// useMemory puts the directories of all tests into a file system in memory, if there is one. A
// sync takes no time there. The tests prove the same as on a disk, because they construct the
// states after a crash themselves. The tests of raft and of faulttest run on a disk.
func useMemory() (remove func()) {
	const memory, needed = "/dev/shm", 1 << 30
	dir, err := os.MkdirTemp(memory, "storage-test")
	if err != nil || freeBytes(memory) < needed {
		return func() { os.RemoveAll(dir) }
	}
	os.Setenv("TMPDIR", dir)
	return func() { os.RemoveAll(dir) }
}

var testIdentity = Identity{ClusterID: 0xcdf818194e3a8c32, MemberID: 0x8e9e05c52164694d}

// member is a cluster of one member without raft: each write becomes one entry.
type member struct {
	t       testing.TB
	options Options
	disk    *Disk
	store   *tree.Store
	index   uint64
	term    uint64
	level   uint64 // the feature level of the checkpoints
}

func newMember(t testing.TB) *member {
	t.Helper()
	return newMemberWith(t, 1000)
}

// newMemberWith makes a member with a history of this size.
func newMemberWith(t testing.TB, history int) *member {
	t.Helper()
	m := &member{t: t, options: Options{DataDir: filepath.Join(t.TempDir(), "data"), HistorySize: history}, term: 2}
	disk, err := Create(m.options, testIdentity)
	if err != nil {
		t.Fatal(err)
	}
	m.disk, m.store = disk, tree.New(history)
	t.Cleanup(m.close)
	return m
}

func (m *member) close() {
	m.t.Helper()
	if err := m.disk.Close(); err != nil {
		m.t.Error(err)
	}
}

func (m *member) dir() string { return m.options.DataDir }

// write writes one batch of commands to the log and applies it.
func (m *member) write(commands ...tree.Command) {
	m.t.Helper()
	data := encodeCommands(commands)
	m.append(data)
	apply(m.store, data)
}

// set writes one key.
func (m *member) set(path, value string) {
	m.t.Helper()
	m.write(tree.Command{Op: tree.OpSet, Path: path, Value: value})
}

// remove deletes a directory and all below it.
func (m *member) remove(path string) {
	m.t.Helper()
	m.write(tree.Command{Op: tree.OpDelete, Path: path, Recursive: true})
}

// settle waits until the log has allocated its next segment in the background. After it, only
// the member's own writes change its directory.
func (m *member) settle() {
	m.t.Helper()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	deadline := time.After(time.Minute)
	for !m.hasNextSegment() {
		select {
		case <-poll.C:
		case <-deadline:
			m.t.Fatal("the log has no next segment")
		}
	}
}

func (m *member) hasNextSegment() bool {
	m.t.Helper()
	next, err := filepath.Glob(filepath.Join(m.dir(), walName, "[01]"+tempSuffix))
	if err != nil {
		m.t.Fatal(err)
	}
	if len(next) == 0 {
		return false
	}
	info, err := os.Stat(next[0])
	return err == nil && info.Size() == wal.SegmentSizeBytes
}

func (m *member) position() Checkpoint {
	return Checkpoint{
		Delta: m.store.TakeDelta(), Applied: m.index, Term: m.term,
		ConfState: &raftpb.ConfState{Voters: []uint64{testIdentity.MemberID}},
		Members:   []byte("members"),
		Level:     m.level,
	}
}

// changeUsers writes changes of users, and raises the feature level to the one that they need.
func (m *member) changeUsers(changes ...*users.Change) {
	m.t.Helper()
	m.level = tree.UsersLevel
	for _, c := range changes {
		m.write(tree.Command{Op: tree.OpUsers, Change: c})
	}
}

func putUser(name, hash string, roles ...string) *users.Change {
	return &users.Change{Op: users.PutUser, Name: name, PasswordHash: hash, Roles: roles}
}

func putRole(name string, patterns ...string) *users.Change {
	c := &users.Change{Op: users.PutRole, Name: name}
	for _, p := range patterns {
		c.Permissions.Read = append(c.Permissions.Read, users.ParsePattern(p))
	}
	return c
}

func (m *member) checkpoint() CheckpointStats {
	m.t.Helper()
	stats, err := m.disk.Checkpoint(m.position())
	if err != nil {
		m.t.Fatal(err)
	}
	return stats
}

// encodeCommands encodes a batch as the data of an entry.
func encodeCommands(commands []tree.Command) []byte {
	var data []byte
	for i := range commands {
		data = tree.AppendCommand(data, &commands[i])
	}
	return data
}

// apply applies a batch that encodeCommands has encoded.
func apply(s *tree.Store, data []byte) {
	var commands []tree.Command
	for len(data) > 0 {
		c, rest, err := tree.DecodeCommand(data)
		if err != nil {
			panic(err)
		}
		commands, data = append(commands, c), rest
	}
	s.Apply(1, commands)
	s.Announce()
}

// replay applies the entries of the log to the recovered tree.
func (r *Recovered) replay() *tree.Store {
	for _, e := range r.Entries {
		apply(r.Store, e.GetData())
	}
	return r.Store
}

// dump shows the index of a tree, all nodes and keys, a hash of them, all users and the mirror.
func dump(s *tree.Store) string {
	v := s.View()
	text := fmt.Appendf(nil, "%d %s", v.Index(), tree.EncodeGet(v.Lookup("/"), 1, tree.Deep).Append(nil))
	for n := range v.Keys(tree.KeyRange{}) {
		text = fmt.Appendf(text, "%q: %q, ", n.Path(), n.Value())
	}
	text = fmt.Appendf(text, "%x ", v.HashRanges(nil, func() bool { return true }))
	if !v.Users().IsZero() {
		text = fmt.Appendf(text, "users %q", v.Users().AppendHead(nil))
	}
	for key, record := range v.Users().Difference(nil) {
		text = fmt.Appendf(text, " %q: %q", key, record)
	}
	for l := range v.Leases() {
		text = fmt.Appendf(text, " lease %d: %d s, keys %q", l.ID, l.TTL, s.LeaseKeys(l.ID))
	}
	if mirror := v.AppendMirror(nil); len(mirror) > 0 {
		text = fmt.Appendf(text, "mirror %q", mirror)
	}
	return string(text)
}

// reopen opens a data directory and closes it again. Both must succeed.
func reopen(t testing.TB, o Options) *Recovered {
	t.Helper()
	d, r, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	checkBolt(t, filepath.Join(o.DataDir, stateName))
	return r
}

// checkBolt runs bbolt's check of its file.
func checkBolt(t testing.TB, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		var all error
		for err := range tx.Check() {
			all = errors.Join(all, err)
		}
		return all
	})
	if err != nil {
		t.Fatal(err)
	}
}

// hashDir returns a hash of the names and the content of all files below dir.
func hashDir(t testing.TB, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%q %s\n", path[len(dir):], e.Type())
		if e.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(h, "%d\n", len(data))
			h.Write(data)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// copyDir copies a data directory, as a crash at this moment would leave it.
func copyDir(t testing.TB, dir string) Options {
	t.Helper()
	to := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return Options{DataDir: to, HistorySize: 1000}
}

// lastSegment returns the path of the last segment.
func lastSegment(t testing.TB, o Options) string {
	t.Helper()
	list, err := segments(filepath.Join(o.DataDir, walName))
	if err != nil || len(list) == 0 {
		t.Fatalf("no segments: %v", err)
	}
	return list[len(list)-1].path
}

// skipShort skips a test of one goroutine, in which the race detector, which is run with -short, has nothing to find.
func skipShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped with -short: one goroutine does many of the same steps")
	}
}
