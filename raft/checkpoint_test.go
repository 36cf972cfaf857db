package raft

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pando/members"
	"pando/storage"
)

func TestCheckpointTriggers(t *testing.T) {
	t.Parallel()
	t.Run("changes", func(t *testing.T) {
		m := newTestMember(t)
		m.cfg.SnapshotCount = 10
		m.start()
		for i := range 9 {
			m.set("/a", fmt.Sprint(i))
		}
		if n := m.seen.checkpointCount(); n > 0 {
			t.Errorf("%d checkpoints after 9 changes, want none before 10", n)
		}
		m.set("/a", "9")
		m.await("a checkpoint", func() bool { return m.seen.checkpointCount() == 1 })
		for i := range 100 {
			m.set("/a", fmt.Sprint(i))
		}
		m.await("more checkpoints", func() bool { return m.seen.checkpointCount() > 1 })
		m.crash()
		m.start()
		if m.replayed > 100 {
			t.Errorf("%d entries were replayed although there were checkpoints", m.replayed)
		}
	})
	t.Run("bytes of log", func(t *testing.T) {
		m := newTestMember(t)
		m.cfg.WALBytes = 100 << 10
		m.start()
		for i := range 5 {
			m.set(fmt.Sprintf("/%d", i), strings.Repeat("x", 10<<10))
		}
		if n := m.seen.checkpointCount(); n > 0 {
			t.Errorf("%d checkpoints after 50 KiB, want none before 100", n)
		}
		for i := range 6 {
			m.set(fmt.Sprintf("/%d", i), strings.Repeat("y", 10<<10))
		}
		m.await("a checkpoint", func() bool { return m.seen.checkpointCount() == 1 })
	})
	t.Run("stop", func(t *testing.T) {
		m := newTestMember(t)
		m.start()
		m.set("/a", "1")
		m.stop()
		if n := m.seen.checkpointCount(); n != 1 {
			t.Errorf("%d checkpoints at the stop, want 1", n)
		}
		m.start()
		if m.replayed > 0 || !m.exists("/a") {
			t.Errorf("%d entries were replayed after a stop; /a is there: %t", m.replayed, m.exists("/a"))
		}
	})
}

// TestFailedCheckpoint makes checkpoints fail for a while: writes succeed meanwhile, and the next checkpoint has the
// changes that the failed one should have had.
func TestFailedCheckpoint(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	m.cfg.SnapshotCount = 10
	m.start()
	state := filepath.Join(m.dir, "state.db")
	if err := os.Rename(state, state+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		m.set(fmt.Sprintf("/%d", i), "x")
	}
	if n := m.seen.checkpointCount(); n > 0 {
		t.Errorf("%d checkpoints succeeded although state.db could not be written", n)
	}
	before := m.dump()
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(state+".away", state); err != nil {
		t.Fatal(err)
	}
	m.stop()
	m.start()
	if m.replayed > 0 {
		t.Errorf("%d entries were replayed after a stop", m.replayed)
	}
	if after := m.dump(); after != before {
		t.Errorf("the tree was\n%s\nand is\n%s", before, after)
	}
}

// TestDamagedCheckpoint damages state.db while the member runs. The next checkpoint writes all of it from memory.
func TestDamagedCheckpoint(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	m.cfg.SnapshotCount = 10
	m.start()
	m.set("/first", "1")
	if err := os.WriteFile(filepath.Join(m.dir, "state.db"), []byte(strings.Repeat("x", 1<<16)), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		m.set(fmt.Sprintf("/%d", i), "x")
	}
	m.await("a failed checkpoint", func() bool {
		since, err := m.node.CheckpointFailing()
		return !since.IsZero() && err != nil
	})
	before := m.dump()
	m.stop()
	m.start()
	if m.replayed > 0 {
		t.Errorf("%d entries were replayed after a stop", m.replayed)
	}
	if after := m.dump(); after != before {
		t.Errorf("the tree was\n%s\nand is\n%s", before, after)
	}
}

// saveSnapshot saves a snapshot of a node to a file, and returns what the file says of itself.
func saveSnapshot(t testing.TB, n *Node) (string, *storage.SnapshotInfo) {
	t.Helper()
	r, size, err := n.OpenSnapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil || int64(len(data)) != size {
		t.Fatalf("%d bytes of %d: %v", len(data), size, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	path := filepath.Join(t.TempDir(), "snapshot")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := storage.InspectSnapshot(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, info
}

func TestOpenSnapshot(t *testing.T) {
	t.Parallel()
	t.Run("holds what was acknowledged before", func(t *testing.T) {
		m := newTestMember(t)
		m.start()
		for i := range 20 {
			event := m.set(fmt.Sprintf("/key%d", i), "v")
			if _, info := saveSnapshot(t, m.node); info.Index < event.Index() {
				t.Fatalf("index %d, acknowledged was %d", info.Index, event.Index())
			}
		}
	})
	t.Run("needs no checkpoint when nothing has changed", func(t *testing.T) {
		m := newTestMember(t)
		m.start()
		m.set("/a", "1")
		saveSnapshot(t, m.node)
		before := m.seen.checkpointCount()
		saveSnapshot(t, m.node)
		if after := m.seen.checkpointCount(); after != before {
			t.Errorf("%d more checkpoints", after-before)
		}
	})
	t.Run("several at once while others write", func(t *testing.T) {
		m := newTestMember(t)
		m.cfg.SnapshotCount = 10
		m.start()
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range 15 {
					event := m.set(fmt.Sprintf("/w%d/%d", w, i), "v")
					if _, info := saveSnapshot(t, m.node); info.Index < event.Index() {
						t.Errorf("index %d, acknowledged was %d", info.Index, event.Index())
					}
				}
			})
		}
		wg.Wait()
	})
	t.Run("a stopped node", func(t *testing.T) {
		m := newTestMember(t)
		n := m.start()
		m.stop()
		if _, _, err := n.OpenSnapshot(t.Context()); err == nil {
			t.Error("no error")
		}
	})
}

func TestCompactState(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	n := m.start()
	for i := range 40 {
		m.set("/a", strings.Repeat(fmt.Sprint(i%10), 4<<10))
	}
	if err := n.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(m.dir, "state.db")
	open, err := os.Open(path) // keeps the system from giving its inode to a new file
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	after, err := open.Stat()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 { // several at once, without a change since
		wg.Go(func() {
			if err := n.Compact(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if again, err := os.Stat(path); err != nil || os.SameFile(after, again) {
		t.Errorf("state.db is the same file: %v", err)
	}
	m.stop()
	if err := n.Compact(t.Context()); err == nil {
		t.Error("no error from a stopped node")
	}
	m.start()
	if !m.exists("/a") {
		t.Error("the key is gone")
	}
}

// TestRestoredCluster starts a cluster of three from one snapshot of another cluster.
func TestRestoredCluster(t *testing.T) {
	t.Parallel()
	source := newTestMember(t)
	source.start()
	for i := range 50 {
		source.set(fmt.Sprintf("/dir/key%d", i), "v")
	}
	want := source.dump()
	path, info := saveSnapshot(t, source.node)

	c := newFoundedCluster(t, nil, func(o storage.Options, founding storage.Founding) error {
		return storage.Restore(o, path, founding)
	})
	for _, r := range c.members {
		if got := dumpOf(t, r.node()); got != want {
			t.Errorf("member %d has %.200s, want %.200s", r.id, got, want)
		}
	}
	if s := c.leader().node().Status(); s.Term <= info.Term || s.Committed <= info.Applied {
		t.Errorf("entry %d of term %d, the snapshot had %d of %d", s.Committed, s.Term, info.Applied, info.Term)
	}
	c.follower().set("/after", "1")
	c.settle()
	c.leader().kill()
	c.leader().set("/later", "2")
	c.settle()
}

// newFoundedCluster starts a cluster of three members, whose data found makes.
func newFoundedCluster(t *testing.T, tune func(*Config), found func(storage.Options, storage.Founding) error) *cluster {
	t.Helper()
	c := &cluster{t: t, id: 99, links: newLinks(), tune: tune}
	t.TempDir() // the first call registers the removal of the directories, which must come after close
	t.Cleanup(c.close)
	registry := members.NewRegistry(c.id)
	var voters []uint64
	for range 3 {
		r := c.newReplica()
		voters = append(voters, uint64(r.id))
		if err := registry.Add(members.Member{ID: r.id, Name: r.name, PeerURLs: []string{r.server.URL}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range c.members {
		founding := storage.Founding{
			Identity: storage.Identity{ClusterID: uint64(c.id), MemberID: uint64(r.id)}, Voters: voters, Members: registry.Marshal(),
		}
		if err := found(storage.Options{DataDir: r.dir, HistorySize: testHistory}, founding); err != nil {
			t.Fatal(err)
		}
		r.start(nil, nil)
	}
	c.awaitServing(c.members...)
	return c
}

func dumpOf(t testing.TB, n *Node) string {
	t.Helper()
	m := &testMember{t: t, node: n}
	return m.dump()
}
