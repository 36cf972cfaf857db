package raft

import (
	"errors"
	"strings"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"pando/storage"
)

// TestSkipEntry puts each kind of garbage into the log of a cluster: all members end with an error that names the
// entry. When they are started to skip it, they have all other data.
func TestSkipEntry(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"an unknown kind", "half a command", "a change of two members"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, 3, steady) // another leader could replace the entry
			c.leader().set("/before", "1")
			c.proposeEntry(garbage(t)[kind])
			id := c.awaitGarbage()
			c.tune = nil
			for _, r := range c.members {
				r.restart()
			}
			if again := c.awaitGarbage(); again != id {
				t.Errorf("the next start ends with entry %v, the first with %v", again, id)
			}
			all := 0
			c.tune = func(cfg *Config) {
				skipped, err := SkipEntry(cfg.Recovered, id)
				if skipped {
					all++
				}
				if err != nil {
					t.Error(err)
				}
			}
			for _, r := range c.members {
				r.restart()
			}
			if all < len(c.members)/2+1 {
				t.Errorf("%d members had the entry, and it was committed", all)
			}
			c.awaitServing(c.members...)
			c.leader().set("/after", "1")
			c.settle()
			for _, r := range c.members {
				if !exists(r, "/before") || !exists(r, "/after") {
					t.Errorf("member %d has lost something else", r.id)
				}
				r.stop() // writes a checkpoint that is newer than the entry
			}
			c.tune = func(cfg *Config) {
				if skipped, err := SkipEntry(cfg.Recovered, id); err != nil || skipped {
					t.Errorf("skipped again: %v, %v", skipped, err)
				}
			}
			for _, r := range c.members {
				r.restart()
			}
			c.settle()
		})
	}
}

func TestSkipEntryRefuses(t *testing.T) {
	entry := func(index, term uint64, data []byte) *raftpb.Entry {
		return &raftpb.Entry{Index: &index, Term: &term, Data: data}
	}
	recovered := func() *storage.Recovered {
		return &storage.Recovered{Applied: 5, Term: 2, Entries: []*raftpb.Entry{
			entry(6, 2, forwarded(8, 1, "/a", "1").Entries[0].Data), entry(7, 3, []byte{100}),
		}}
	}
	for _, test := range []struct {
		name    string
		id      EntryID
		skipped bool
		err     error
	}{
		{"garbage", EntryID{7, 3}, true, nil},
		{"an entry that can be applied", EntryID{6, 2}, false, ErrNotSkipped},
		{"an entry of another term", EntryID{7, 2}, false, nil},
		{"an entry before the checkpoint", EntryID{4, 2}, false, nil},
		{"an entry that is not there", EntryID{8, 3}, false, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := recovered()
			skipped, err := SkipEntry(r, test.id)
			if skipped != test.skipped || !errors.Is(err, test.err) {
				t.Errorf("got %v, %v", skipped, err)
			}
			if changed := len(r.Entries[1].GetData()) == 0; changed != test.skipped || len(r.Entries[0].GetData()) == 0 {
				t.Errorf("the entries became %v", r.Entries)
			}
		})
	}
}

// awaitGarbage waits until a member has ended because of the garbage, kills all others, and returns the entry that
// the error names.
func (c *cluster) awaitGarbage() EntryID {
	c.t.Helper()
	var node *Node
	c.await("a member to end", func() bool {
		for _, r := range c.running() {
			if node = r.node(); closed(node.Done()) {
				return true
			}
		}
		return false
	})
	var e *EntryError
	if !errors.As(node.Err(), &e) || !strings.Contains(node.Err().Error(), "--skip-log-entry="+e.Entry.String()) {
		c.t.Fatalf("member %d ended with %v", node.state.id, node.Err())
	}
	for _, r := range c.running() {
		r.kill()
	}
	return e.Entry
}

// proposeEntry puts an entry into the log of the leader without the checks of a proposal.
func (c *cluster) proposeEntry(e *raftpb.Entry) {
	c.t.Helper()
	c.await("a leader that takes the entry", func() (taken bool) {
		c.leader().inTurnOf(func(c *core) {
			m := &raftpb.Message{Type: raftpb.MsgProp.Enum(), From: (*uint64)(&c.state.id), Entries: []*raftpb.Entry{e}}
			taken = c.raw.isLeader() && c.raw.Step(m) == nil
		})
		return taken
	})
}
