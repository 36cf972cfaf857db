package raft

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"pando/members"
	"pando/storage"
)

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

	c := &cluster{t: t, id: 99, links: newLinks()}
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
		if err := storage.Restore(storage.Options{DataDir: r.dir, HistorySize: testHistory}, path, founding); err != nil {
			t.Fatal(err)
		}
		r.start(nil, nil)
	}
	c.awaitServing(c.members...)
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

func dumpOf(t testing.TB, n *Node) string {
	t.Helper()
	m := &testMember{t: t, node: n}
	return m.dump()
}
