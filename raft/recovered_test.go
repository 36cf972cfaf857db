package raft

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/storage"
)

// force makes a stopped member the only one of its cluster, as --force-new-cluster does, and starts it.
func (r *replica) force(t *testing.T) []members.Member {
	t.Helper()
	removed := forceData(t, r.dir)
	r.restart()
	r.c.awaitServing(r)
	return removed
}

func forceData(t *testing.T, dir string) []members.Member {
	t.Helper()
	disk, recovered, err := storage.Open(storage.Options{DataDir: dir, HistorySize: testHistory})
	if err != nil {
		t.Fatal(err)
	}
	removed, err := ForceNewCluster(disk, recovered)
	if err := errors.Join(err, disk.Close()); err != nil {
		t.Fatal(err)
	}
	return removed
}

func (r *replica) checkAlone(t *testing.T) {
	t.Helper()
	if list := r.node().Members().List(); len(list) != 1 || list[0].ID != r.id || list[0].Learner {
		t.Errorf("the members are %+v", list)
	}
}

// killAll ends all members at once, as a loss of power does.
func (c *cluster) killAll() {
	c.t.Helper()
	for _, r := range c.members {
		r.kill()
	}
}

func TestForceNewCluster(t *testing.T) {
	t.Parallel()
	t.Run("two of three lost", func(t *testing.T) {
		c := newCluster(t, 3, nil)
		for i := range 20 {
			c.leader().set(fmt.Sprintf("/key%d", i), "v")
		}
		c.settle()
		last := c.follower()
		c.killAll()
		if removed := last.force(t); len(removed) != 2 {
			t.Errorf("removed %v", removed)
		}
		last.checkAlone(t)
		for i := range 20 {
			if got := last.mustGet(fmt.Sprintf("/key%d", i)); got != "v" {
				t.Errorf("key%d is %q", i, got)
			}
		}
		last.set("/after", "1")
		last.stop()
		if removed := forceData(t, last.dir); removed != nil {
			t.Errorf("the second time it removed %v", removed)
		}
		last.restart()
		c.awaitServing(last)
		last.set("/again", "1")
	})
	t.Run("refuses a member without a cluster", func(t *testing.T) {
		m := newTestMember(t)
		id := storage.Identity{ClusterID: 7, MemberID: 8}
		disk, err := storage.Create(storage.Options{DataDir: m.dir, HistorySize: testHistory}, id)
		if err != nil {
			t.Fatal(err)
		}
		defer disk.Close()
		if _, err := ForceNewCluster(disk, storage.EmptyRecovered(id, testHistory)); !errors.Is(err, ErrNotMember) {
			t.Errorf("got %v", err)
		}
	})
}

// TestForceNewClusterKeepsData checks that nothing in the log and the checkpoint of the member is lost.
func TestForceNewClusterKeepsData(t *testing.T) {
	t.Parallel()
	t.Run("what may have been acknowledged stays", func(t *testing.T) {
		c := newCluster(t, 3, steady) // the leader must still lead when it gets the write
		leader := c.leader()
		leader.set("/committed", "1")
		c.settle()
		c.isolate(leader)
		if _, err := leader.trySet("/tail", "unknown"); err == nil {
			t.Fatal("acknowledged without a quorum")
		}
		c.killAll()
		leader.force(t)
		leader.checkAlone(t)
		for path, want := range map[string]string{"/committed": "1", "/tail": "unknown"} {
			if got := leader.mustGet(path); got != want {
				t.Errorf("%s is %q, want %q", path, got, want)
			}
		}
	})
	t.Run("after a checkpoint", func(t *testing.T) {
		c := newCluster(t, 3, func(cfg *Config) { cfg.SnapshotCount = 10 })
		for i := range 35 {
			c.leader().set(fmt.Sprintf("/key%d", i), "v")
		}
		c.settle()
		last := c.follower()
		for _, r := range c.members {
			r.stop()
		}
		last.force(t)
		last.checkAlone(t)
		if n := last.node().Tree().View().Nodes(); n != 35 {
			t.Errorf("%d keys", n)
		}
	})
}

// TestForceNewClusterMembers adds members to the new cluster, and starts members of the old one.
func TestForceNewClusterMembers(t *testing.T) {
	t.Parallel()
	t.Run("grows again", func(t *testing.T) {
		c := newCluster(t, 3, nil)
		c.leader().set("/key", "v")
		c.settle()
		last := c.members[1]
		c.killAll()
		last.force(t)
		joined := c.newReplica()
		c.must("add", func(ctx context.Context) error { return last.node().AddMember(ctx, joined.member()) })
		joined.join(last)
		c.awaitServing(joined)
		c.await("the new member's vote", func() bool {
			got, ok := last.node().Members().Get(joined.id)
			return ok && !got.Learner
		})
		joined.set("/more", "1")
		c.settle()
		if got := joined.mustGet("/key"); got != "v" {
			t.Errorf("the new member has %q", got)
		}
	})
	t.Run("a removed member that comes back stops", func(t *testing.T) {
		c := newCluster(t, 3, nil)
		c.leader().set("/key", "v")
		c.settle()
		c.killAll()
		c.members[0].force(t)
		c.members[1].restart()
		back := c.members[1].node()
		c.await("the removed member to stop", func() bool { return closed(back.Done()) })
		if !errors.Is(back.Err(), ErrRemoved) {
			t.Errorf("the removed member stopped with %v", back.Err())
		}
		c.members[0].set("/undisturbed", "1")
	})
	t.Run("a learner gets its vote", func(t *testing.T) {
		c := newCluster(t, 1, nil)
		old := c.members[0]
		old.set("/key", "v")
		joined := c.newReplica()
		// If it gets its vote just before it is stopped, this test proves nothing and must not fail.
		c.must("add", func(ctx context.Context) error { return old.node().AddMember(ctx, joined.member()) })
		joined.join(old)
		c.await("the new member to get the key", func() bool { return joined.node().Tree().View().Lookup("/key") != nil })
		c.killAll()
		joined.force(t)
		joined.checkAlone(t)
		joined.set("/more", "1")
	})
}

// logOf numbers entries from an index on.
func logOf(first uint64, entries ...*raftpb.Entry) []*raftpb.Entry {
	for i, e := range entries {
		index, term := first+uint64(i), uint64(2)
		e.Index, e.Term = &index, &term
	}
	return entries
}

func TestDetach(t *testing.T) {
	id := storage.Identity{ClusterID: 1, MemberID: 2}
	self := members.Member{ID: 9, Name: "copy", PeerURLs: []string{"http://127.0.0.1:9"}, Learner: true}
	entry := func(kind raftpb.EntryType, data []byte) *raftpb.Entry {
		return &raftpb.Entry{Type: kind.Enum(), Data: data}
	}
	added := func(id members.ID) *raftpb.Entry {
		e, err := confChangeEntry(0, 0, raftpb.ConfChangeAddNode, members.Member{ID: id, PeerURLs: []string{"http://127.0.0.1:1"}})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	attributes, err := encodeAttributes(attributes{ID: 2, Name: "old"})
	if err != nil {
		t.Fatal(err)
	}
	batch := func() *raftpb.Entry { return entry(raftpb.EntryNormal, appendBatchHead(nil, 2, 1, 0)) }
	for _, test := range []struct {
		name    string
		r       *storage.Recovered
		changes []members.ID // per entry: the member that it adds, 0 for an empty entry, 1 for commands
		voters  int
	}{
		{"from the beginning", &storage.Recovered{Identity: id, Entries: logOf(1,
			added(2), added(3), entry(raftpb.EntryNormal, nil), batch(), entry(raftpb.EntryNormal, attributes), batch())},
			[]members.ID{9, 0, 0, 1, 0, 1}, 0},
		{"after a checkpoint", &storage.Recovered{Identity: id, Applied: 5, Term: 2, Entries: logOf(6, batch(), added(4), batch())},
			[]members.ID{1, 0, 1}, 1},
		{"a feature level that was raised", &storage.Recovered{Identity: id, Applied: 5, Term: 2,
			Entries: logOf(6, entry(raftpb.EntryNormal, encodeLevel(1)), entry(raftpb.EntryNormal, encodeFounding(77)), batch())},
			[]members.ID{1, 0, 1}, 1},
		{"a checkpoint alone", &storage.Recovered{Identity: id, Applied: 5, Term: 2}, nil, 1},
		{"entries that a snapshot replaced", &storage.Recovered{Identity: id, Applied: 5, Term: 3, Entries: logOf(6, batch())}, nil, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := Detach(test.r, 7, self)
			if err != nil {
				t.Fatal(err)
			}
			identity := storage.Identity{ClusterID: 7, MemberID: 9}
			if f.Identity != identity || len(f.Voters) != test.voters || (len(f.Members) > 0) != (test.voters > 0) {
				t.Errorf("got %+v", f)
			}
			if len(test.r.Entries) != len(test.changes) {
				t.Fatalf("%d entries, want %d", len(test.r.Entries), len(test.changes))
			}
			for i, e := range test.r.Entries {
				if got := effect(t, e); got != test.changes[i] || e.GetIndex() != test.r.Applied+uint64(i)+1 || e.GetTerm() != 2 {
					t.Errorf("entry %d of term %d does %v, want %v", e.GetIndex(), e.GetTerm(), got, test.changes[i])
				}
			}
		})
	}
	t.Run("nothing of a cluster", func(t *testing.T) {
		if _, err := Detach(&storage.Recovered{Identity: id, Entries: logOf(1, batch())}, 7, self); !errors.Is(err, ErrNotMember) {
			t.Errorf("got %v", err)
		}
	})
}

// effect is the member that an entry adds as a voter, 0 for an empty entry, and 1 for other data.
func effect(t *testing.T, e *raftpb.Entry) members.ID {
	t.Helper()
	if e.GetType() == raftpb.EntryNormal {
		return members.ID(min(len(e.GetData()), 1))
	}
	cc, m, err := decodeConfChange(e.GetData())
	if err != nil || cc.GetType() != raftpb.ConfChangeAddNode || m.Learner {
		t.Errorf("%v of %+v, %v", cc, m, err)
	}
	return m.ID
}
