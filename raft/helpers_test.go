package raft

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/members"
	"pando/storage"
	"pando/tree"
)

const (
	testTimeout = time.Minute // for anything that must come, on a busy machine
	testHistory = 5000
)

// testMember is a member that is alone, and what survives its end.
type testMember struct {
	t    testing.TB
	dir  string
	cfg  Config // changed by the test before start
	disk *storage.Disk
	node *Node
	seen *recorder
	// replayed is the number of entries after the checkpoint at the last start.
	replayed int
}

func newTestMember(t testing.TB) *testMember {
	m := &testMember{t: t, dir: filepath.Join(t.TempDir(), "data"), cfg: Config{
		SnapshotCount: 100_000,
		pinnedLevel:   new(uint64(0)), // a raised level brings about a checkpoint
	}}
	t.Cleanup(m.stop)
	return m
}

// start opens the data or creates it, and starts the node.
func (m *testMember) start() *Node {
	m.t.Helper()
	options := storage.Options{DataDir: m.dir, HistorySize: testHistory}
	id := storage.Identity{ClusterID: 7, MemberID: 8}
	exists, err := storage.Exists(options)
	if err != nil {
		m.t.Fatal(err)
	}
	cfg := m.cfg
	if exists {
		m.disk, cfg.Recovered, err = storage.Open(options)
	} else {
		m.disk, err = storage.Create(options, id)
		cfg.Recovered = storage.EmptyRecovered(id, testHistory)
		cfg.Bootstrap = []members.Member{{ID: 8, Name: "one", PeerURLs: []string{"http://127.0.0.1:1"}}}
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.replayed = len(cfg.Recovered.Entries)
	m.seen = &recorder{}
	cfg.Disk, cfg.Observer, cfg.Logger = m.disk, m.seen.hooks(), zap.NewNop()
	cfg.Registry = members.NewRegistry(7)
	cfg.Name, cfg.ClientURLs = "one", []string{"http://127.0.0.1:2", "http://127.0.0.1:1", "http://127.0.0.1:2"}
	if cfg.Tick == 0 {
		cfg.Tick = 10 * time.Millisecond
	}
	cfg.ElectionTicks, cfg.Timeout = 10, testTimeout
	if m.node, err = Start(cfg); err != nil {
		m.t.Fatal(err)
	}
	m.await("the node to serve", func() bool { return closed(m.node.Ready()) })
	if self, _ := cfg.Registry.Get(m.node.state.id); len(self.ClientURLs) == 0 {
		m.t.Error("the node serves before the members' list has its client URLs")
	}
	return m.node
}

// stop ends the node as a shutdown does.
func (m *testMember) stop() {
	if m.node != nil {
		m.node.Stop()
		m.crash()
	}
}

// crash closes the disk under the running node, and drops the node.
func (m *testMember) crash() {
	if err := m.disk.Close(); err != nil {
		m.t.Error(err)
	}
	m.node.Stop()
	m.node = nil
}

// await polls until done, and fails the test after testTimeout. Only the test's own goroutine may call it.
func (m *testMember) await(what string, done func() bool) {
	m.t.Helper()
	if !poll(done) {
		m.t.Fatalf("waited %v for %s", testTimeout, what)
	}
}

// poll polls until done, and returns false after testTimeout.
func poll(done func() bool) bool {
	deadline := time.Now().Add(testTimeout)
	for !done() {
		if time.Now().After(deadline) {
			return false
		}
		<-time.After(time.Millisecond)
	}
	return true
}

// propose proposes a command that must succeed.
func (m *testMember) propose(c tree.Command) *tree.Event {
	m.t.Helper()
	event, err := m.node.Propose(m.t.Context(), &c)
	if err != nil {
		m.t.Fatal(err)
	}
	return event
}

func (m *testMember) set(path, value string) *tree.Event {
	m.t.Helper()
	return m.propose(tree.Command{Op: tree.OpSet, Path: path, Value: value})
}

// exists reports whether the tree has a node at path.
func (m *testMember) exists(path string) bool {
	_, err := m.node.Tree().View().Get(path)
	return err == nil
}

// dump returns the whole tree with all indexes.
func (m *testMember) dump() string {
	m.t.Helper()
	view := m.node.Tree().View()
	root, err := view.Get("/")
	if err != nil {
		m.t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", view.Index(), tree.EncodeGet(root, 0, tree.Deep).Append(nil))
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// mustBeLogError checks that an error is one of the log, not of the command.
func mustBeLogError(t testing.TB, err error) {
	t.Helper()
	var e *tree.Error
	if !errors.As(err, &e) || e.Code != tree.CodeRaftInternal {
		t.Errorf("error %v, want one with code %d", err, tree.CodeRaftInternal)
	}
}

// recorder counts what a node does.
type recorder struct {
	started, done, failed atomic.Int64
	mu                    sync.Mutex
	batches               []int
	checkpoints           []storage.CheckpointStats
}

// hooks returns the recorder's observer.
func (r *recorder) hooks() Observer {
	return Observer{
		ProposalStarted: func() { r.started.Add(1) },
		ProposalDone:    func() { r.done.Add(1) },
		ProposalFailed:  func() { r.failed.Add(1) },
		BatchApplied:    r.batchApplied,
		CheckpointDone:  r.checkpointDone,
	}
}

func (r *recorder) batchApplied(commands int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches = append(r.batches, commands)
}

func (r *recorder) batchCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.batches)
}

func (r *recorder) checkpointDone(s storage.CheckpointStats) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checkpoints = append(r.checkpoints, s)
}

func (r *recorder) checkpointCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.checkpoints)
}

// rounds is the number of repetitions of a test that depends on chance.
func rounds() int {
	if testing.Short() {
		return 2
	}
	return 5
}
