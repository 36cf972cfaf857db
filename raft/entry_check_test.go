package raft

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/storage"
	"pando/tree"
)

// garbage gives entries that no member can apply.
func garbage(t testing.TB) map[string]*raftpb.Entry {
	t.Helper()
	normal := func(data ...byte) *raftpb.Entry { return &raftpb.Entry{Data: data} }
	change := func(cc *raftpb.ConfChange) *raftpb.Entry {
		data, err := proto.Marshal(cc)
		if err != nil {
			t.Fatal(err)
		}
		return &raftpb.Entry{Type: raftpb.EntryConfChange.Enum(), Data: data}
	}
	head := appendBatchHead(nil, 8, 1, 1)
	set := tree.AppendCommand(head[:len(head):len(head)], &tree.Command{Op: tree.OpSet, Path: "/a", Value: "1"})
	return map[string]*raftpb.Entry{
		"an unknown kind":        normal(100),
		"half a batch's head":    normal(head[:len(head)-1]...),
		"half a command":         normal(set[:len(set)-1]...),
		"an unknown operation":   normal(append(head[:len(head):len(head)], 99, 0, 0, 0, 0, 0, 0)...),
		"a path that is unclean": normal(tree.AppendCommand(head[:len(head):len(head)], &tree.Command{Op: tree.OpSet, Path: "/a/../b"})...),
		"attributes":             normal(kindAttributes, '{'),
		"a consistency check":    normal(kindAudit, auditVersion, '{'),
		"its result":             normal(kindAuditResult, auditVersion, '['),
		"no change of a member":  {Type: raftpb.EntryConfChange.Enum(), Data: []byte{0xff}},
		"a change of no member": change(&raftpb.ConfChange{
			Type: raftpb.ConfChangeAddNode.Enum(), NodeId: new(uint64(9)), Context: []byte("{"),
		}),
		"a change of two members": change(&raftpb.ConfChange{
			Type: raftpb.ConfChangeAddNode.Enum(), NodeId: new(uint64(9)), Context: encodeMember(members.Member{ID: 10}),
		}),
		"an unknown change": change(&raftpb.ConfChange{
			Type: raftpb.ConfChangeType(9).Enum(), NodeId: new(uint64(9)), Context: encodeMember(members.Member{ID: 9}),
		}),
		"a change of another form": {Type: raftpb.EntryConfChangeV2.Enum(), Data: []byte{0xff}},
		"an unknown type":          {Type: raftpb.EntryType(7).Enum(), Data: []byte("x")},
	}
}

// TestGarbageIsRefused forwards entries that cannot be applied to a leader and to a follower: they must not get into
// the log.
func TestGarbageIsRefused(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	c.settle()
	from := uint64(c.follower().id)
	proposals := map[string][]*raftpb.Entry{"nothing": nil}
	for name, e := range garbage(t) {
		proposals[name] = []*raftpb.Entry{e}
		proposals[name+" behind a batch"] = []*raftpb.Entry{forwarded(members.ID(from), 1, "/refused", "1").Entries[0], e}
	}
	for name, entries := range proposals {
		for _, r := range c.running() {
			r.inTurnOf(func(c *core) {
				last := c.state.lastIndex
				c.receive(&raftpb.Message{Type: raftpb.MsgProp.Enum(), From: &from, Entries: entries})
				for c.raw.HasReady() {
					c.handle(c.raw.Ready())
				}
				if c.state.lastIndex != last {
					t.Errorf("%s is in the log", name)
				}
			})
		}
	}
	c.leader().set("/after", "1")
	c.settle()
	if exists(c.leader(), "/refused") {
		t.Error("half of a proposal was accepted")
	}
}

// TestMembersWithoutURLs forwards changes after which a member of the cluster would have no peer URL.
func TestMembersWithoutURLs(t *testing.T) {
	unreachable, reachable := members.Member{ID: 9}, members.Member{ID: 9, PeerURLs: []string{"http://m9:2380"}}
	for kind, asks := range map[raftpb.ConfChangeType]bool{
		raftpb.ConfChangeAddNode: true, raftpb.ConfChangeAddLearnerNode: true,
		raftpb.ConfChangeUpdateNode: true, raftpb.ConfChangeRemoveNode: false,
	} {
		check := func(m members.Member) error {
			data, err := proto.Marshal(&raftpb.ConfChange{Type: kind.Enum(), NodeId: (*uint64)(&m.ID), Context: encodeMember(m)})
			if err != nil {
				t.Fatal(err)
			}
			return checkEntry(&raftpb.Entry{Type: raftpb.EntryConfChange.Enum(), Data: data})
		}
		if err := check(unreachable); errors.Is(err, errEntry) != asks {
			t.Errorf("%v without a URL: %v", kind, err)
		}
		if err := check(reachable); err != nil {
			t.Errorf("%v: %v", kind, err)
		}
	}
}

// TestLastVoterStays applies the removal of the only voter, which a member may have forwarded: it is refused and ends
// no member.
func TestLastVoterStays(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	m.start()
	data, err := confChangeEntry(0, 0, raftpb.ConfChangeRemoveNode, members.Member{ID: m.node.state.id})
	if err != nil {
		t.Fatal(err)
	}
	m.node.inbox.post(func(c *core) {
		c.receive(&raftpb.Message{
			Type: raftpb.MsgProp.Enum(), From: (*uint64)(&m.node.state.id),
			Entries: []*raftpb.Entry{{Type: data.Type, Data: data.Data}},
		})
	})
	m.set("/after", "1")
	if _, there := m.node.Members().Get(m.node.state.id); !there {
		t.Error("the only member was removed")
	}
}

// TestOtherBatchAnswersNothing applies a batch that has the number of one of this member's and fewer commands: only
// the member's own batch may answer the caller.
func TestOtherBatchAnswersNothing(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	l := m.start().core
	p := proposalOf(1)
	done := make(chan struct{})
	l.inbox.post(func(c *core) {
		defer close(done)
		c.proposer.inFlight.batches[1] = inFlightBatch{proposals: []*proposal{p}, since: time.Now()}
		c.proposer.inFlight.applied(1, nil)
		if len(p.done) > 0 {
			t.Error("another batch answers a proposal")
		}
		c.proposer.inFlight.applied(1, make([]tree.Result, 1))
	})
	<-done
	if len(p.done) != 1 || len(l.proposer.inFlight.batches) != 0 {
		t.Error("the proposal has no answer")
	}
}

// propose puts an entry into the log as no member does.
func (r *replica) proposeRaw(e *raftpb.Entry) {
	r.inTurnOf(func(c *core) {
		m := &raftpb.Message{Type: raftpb.MsgProp.Enum(), From: (*uint64)(&c.state.id), Entries: []*raftpb.Entry{e}}
		if err := c.raw.Step(m); err != nil {
			r.c.t.Error(err)
		}
	})
}

// TestSkipEntry puts each kind of garbage into the log of a cluster: all members end with an error that names the
// entry. When they are started to skip it, they have all other data.
func TestSkipEntry(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"an unknown kind", "half a command", "a change of two members"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, 3, nil)
			c.leader().set("/before", "1")
			c.leader().proposeRaw(garbage(t)[kind])
			id := c.awaitGarbage()
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

// TestPanicAdvice panics in a turn: the member ends. Only an error about its data may advise to replace the data.
func TestPanicAdvice(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		do   func(l *core)
		want error
	}{
		"a fault of the program": {func(*core) { panic("a fault") }, errPanic},
		"a fault of the library": {func(c *core) { newRaftLogger(c.log).Panicf("unexpected error (%v)", "x") }, errPanic},
		"a contradicted log": {func(c *core) {
			_ = c.raw.Step(&raftpb.Message{
				Type: raftpb.MsgHeartbeat.Enum(), From: new(uint64(9)), To: (*uint64)(&c.state.id),
				Term: new(c.state.term.Load() + 1), Commit: new(uint64(1 << 40)),
			})
		}, ErrBroken},
	} {
		t.Run(name, func(t *testing.T) {
			m := newTestMember(t)
			node := m.start()
			node.inbox.post(test.do)
			m.await("the member to end", func() bool { return closed(node.Done()) })
			if !errors.Is(node.Err(), test.want) {
				t.Errorf("it ended with %v", node.Err())
			}
			if advised := strings.Contains(node.Err().Error(), "delete its data directory"); advised != (test.want == ErrBroken) {
				t.Errorf("the advice is wrong: %v", node.Err())
			}
		})
	}
}
