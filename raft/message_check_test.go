package raft

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// receive gives the member a message as if it had come over a stream.
func (r *replica) receive(m *raftpb.Message) {
	r.c.t.Helper()
	m.To = (*uint64)(&r.id)
	done := make(chan struct{})
	if !r.node().inbox.post(func(c *core) { c.receive(m); close(done) }) {
		r.c.t.Fatalf("member %d has ended", r.id)
	}
	select {
	case <-done:
	case <-r.node().Done():
		r.c.t.Fatalf("member %d ended with %v", r.id, r.node().Err())
	}
}

// forged makes a message of the current term.
func (r *replica) forged(kind raftpb.MessageType, from members.ID) *raftpb.Message {
	return &raftpb.Message{Type: kind.Enum(), From: (*uint64)(&from), Term: new(r.node().Term())}
}

// forgery is a message that no member of a healthy cluster sends, and the member that gets it.
type forgery struct {
	to *replica
	m  func() *raftpb.Message
}

func forgeries(lead, follower, third *replica) map[string]forgery {
	last := follower.node().Status().Committed
	return map[string]forgery{
		"a commit beyond the log": {follower, func() *raftpb.Message {
			m := follower.forged(raftpb.MsgHeartbeat, lead.id)
			m.Commit = new(uint64(1 << 40))
			return m
		}},
		"the last commit of all": {follower, func() *raftpb.Message {
			m := follower.forged(raftpb.MsgHeartbeat, lead.id)
			m.Commit = new(uint64(math.MaxUint64))
			return m
		}},
		"an append behind the last index of all": {follower, func() *raftpb.Message {
			m := follower.forged(raftpb.MsgApp, lead.id)
			m.Index, m.LogTerm = new(uint64(math.MaxUint64)), new(m.GetTerm())
			return m
		}},
		"the last term of all": {follower, func() *raftpb.Message {
			m := follower.forged(raftpb.MsgHeartbeat, lead.id)
			m.Term = new(uint64(math.MaxUint64))
			return m
		}},
		"a vote in the last term of all": {lead, func() *raftpb.Message {
			m := lead.forged(raftpb.MsgVote, third.id)
			m.Term, m.Context = new(uint64(math.MaxUint64)), []byte("CampaignTransfer")
			return m
		}},
		"a second leader of the term": {follower, func() *raftpb.Message {
			return follower.forged(raftpb.MsgHeartbeat, third.id)
		}},
		"another entry where one is committed": {follower, func() *raftpb.Message {
			m := follower.forged(raftpb.MsgApp, lead.id)
			m.Index, m.LogTerm = new(last-1), new(m.GetTerm())
			m.Entries = []*raftpb.Entry{{Index: new(last), Term: new(m.GetTerm() - 1)}}
			m.Entries[0].Term = new(m.GetTerm() + 1) // a later term than the message's is no legal append, and must not panic
			return m
		}},
		"an append behind another entry": {follower, func() *raftpb.Message {
			m := follower.forged(raftpb.MsgApp, lead.id)
			m.Index, m.LogTerm = new(last-1), new(uint64(m.GetTerm()+7))
			return m
		}},
		"an acknowledgement of more than there is": {lead, func() *raftpb.Message {
			m := lead.forged(raftpb.MsgAppResp, follower.id)
			m.Index = new(uint64(1 << 40))
			return m
		}},
		"a transfer by a member that does not lead": {follower, func() *raftpb.Message {
			return follower.forged(raftpb.MsgTimeoutNow, third.id)
		}},
		"a transfer that would be passed on": {follower, func() *raftpb.Message {
			return follower.forged(raftpb.MsgTransferLeader, third.id)
		}},
		"a read that would be passed on": {follower, func() *raftpb.Message {
			m := follower.forged(raftpb.MsgReadIndex, third.id)
			m.Term, m.Entries = nil, []*raftpb.Entry{{Data: []byte("x")}}
			return m
		}},
	}
}

// TestForgedMessages sends members what no member of a healthy cluster sends. None of them ends, leaves its leader,
// or loses data.
func TestForgedMessages(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	lead := c.leader()
	follower, third := c.others(lead)[0], c.others(lead)[1]
	for i := range 20 {
		lead.set(fmt.Sprintf("/key%d", i), "v")
	}
	c.settle()
	for name, test := range forgeries(lead, follower, third) {

		t.Run(name, func(t *testing.T) {
			term := test.to.node().Term()
			test.to.receive(test.m())
			if _, err := lead.trySet("/after", name); err != nil {
				t.Fatal(err)
			}
			if got, err := test.to.get("/after"); got != name || err != nil {
				t.Errorf("read %q, %v", got, err)
			}
			for _, r := range c.members {
				if now := r.node().Term(); now != term || closed(r.node().Done()) {
					t.Errorf("member %d is in term %d after %d, ended: %v", r.id, now, term, r.node().Err())
				}
			}
		})
	}
	c.settle()
}

// TestReportOfAnyEntry asks a member for reports of entries that it cannot have, as any process that reaches its peer
// port can.
func TestReportOfAnyEntry(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	r := c.leader()
	r.set("/key", "v")
	last := r.node().Status().Committed
	for _, index := range []uint64{last, 0, last + 1, 1 << 40, 1 << 63, math.MaxUint64 - 1, math.MaxUint64} {
		report, err := r.node().reportLog(t.Context(), r.id, index)
		if known := report.EntryTerm != 0; err != nil || known != (index == last) || report.Last != last {
			t.Errorf("asked for entry %d of %d: %+v, %v", index, last, report, err)
		}
	}
}

// TestTermJumps checks that every term is accepted which elections can have reached, and no flood of jumps.
func TestTermJumps(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	l := c.leader().node().core
	vote := func(term uint64) error {
		return l.checker.checkTerm(&raftpb.Message{Type: raftpb.MsgVote.Enum(), Term: &term})
	}
	l.takeTurn(func() {
		own := l.state.term.Load()
		defer l.state.term.Store(own)
		for _, test := range []struct {
			own, term uint64
			legal     bool
		}{
			{5, 1, true}, {5, 5, true}, {5, 6, true}, {5, 5 + longJump, true}, {5, 5 + longJump, true},
			{5, 6 + longJump, true}, {5, 6 + longJump, false}, // the second jump within a second
			{5, 6 + maxTermJump, false}, {5, math.MaxUint64, false},
			{0, 1 << 50, true}, {0, math.MaxUint64, false},
			{math.MaxUint64 - 1, math.MaxUint64, true},
		} {
			l.state.term.Store(test.own)
			if err := vote(test.term); (err == nil) != test.legal {
				t.Errorf("term %d in term %d: %v", test.term, test.own, err)
			}
		}
		l.checker.jumped = time.Now().Add(-jumpPause)
		l.state.term.Store(5)
		if err := vote(5 + maxTermJump); err != nil {
			t.Errorf("a jump some time after another one: %v", err)
		}
	})
}

// copyData copies the data directory of a member that is down.
func (r *replica) copyData() string {
	r.c.t.Helper()
	dir := r.dir + ".copy"
	if err := os.CopyFS(dir, os.DirFS(r.dir)); err != nil {
		r.c.t.Fatal(err)
	}
	return dir
}

// restoreCopy replaces the member's data by a copy.
func (r *replica) restoreCopy(dir string) {
	r.c.t.Helper()
	if err := errors.Join(os.RemoveAll(r.dir), os.Rename(dir, r.dir)); err != nil {
		r.c.t.Fatal(err)
	}
}

// TestContradictedLog restores the data of two of three members from copies, lets them write, and starts the third
// one. It has committed entries that the others lack: it must stop, must not answer a quorum read from its own data,
// and must not count for a quorum.
func TestContradictedLog(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		tune      func(*Config)
		meanwhile int // keys that only the third member has
		after     int // keys that are written before it is started
		// replaced means that the other members no longer have the entries to compare: a snapshot replaces the
		// member's data.
		replaced bool
	}{
		{"longer log", nil, 60, 5, false},
		{"shorter log", nil, 5, 60, false},
		{"longer log after a checkpoint", smallLog, 400, 5, false},
		{"shorter log after a checkpoint", smallLog, 150, 400, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, 3, test.tune)
			c.restoreTwo(test.meanwhile, test.after)
			third := c.members[2]
			third.restart()
			node := third.node()
			wrong := make(chan error, 1)
			ctx, cancel := context.WithCancel(context.Background())
			go func() { wrong <- readUntilEnd(ctx, node) }()
			if test.replaced {
				c.awaitServing(third)
				c.settle()
				cancel()
				if err := <-wrong; err != nil {
					t.Error(err)
				}
				return
			}
			c.await("the member with another log to end", func() bool { return closed(node.Done()) })
			cancel()
			if err := <-wrong; err != nil {
				t.Error(err)
			}
			if !errors.Is(node.Err(), ErrContradiction) {
				t.Errorf("it ended with %v", node.Err())
			}
			third.up.Store(nil)
			third.shut()
			if _, err := os.Stat(third.dir); err != nil {
				t.Errorf("its data: %v", err)
			}
			c.leader().set("/after", "1")
			c.settle()
		})
	}
}

// restoreTwo restores the first two of three members from copies that lack the last keys, starts them, and has them write
// keys of their own. The third member is down.
func (c *cluster) restoreTwo(meanwhile, after int) {
	c.t.Helper()
	stopAll := func() {
		c.settle()
		for _, r := range c.members {
			r.stop()
		}
	}
	for i := range 20 {
		c.leader().set(fmt.Sprintf("/old%d", i), "v")
	}
	stopAll()
	restored := c.members[:2]
	copies := []string{restored[0].copyData(), restored[1].copyData()}
	for _, r := range c.members {
		r.restart()
	}
	c.awaitServing(c.members...)
	for i := range meanwhile {
		c.leader().set(fmt.Sprintf("/lost%d", i), "v")
	}
	stopAll()
	for i, r := range restored {
		r.restoreCopy(copies[i])
		r.restart()
	}
	c.awaitServing(restored...)
	for i := range 4 { // terms after those that were lost
		c.leader().node().TransferLeader(context.Background(), restored[i%2].id)
		c.leader().set("/elected", fmt.Sprint(i))
	}
	for i := range after {
		c.leader().set(fmt.Sprintf("/new%d", i), "v")
	}
}

// readUntilEnd makes quorum reads until the member ends, and returns a key that a read found and the cluster does not
// have.
func readUntilEnd(ctx context.Context, node *Node) error {
	for ctx.Err() == nil && !closed(node.Done()) {
		if node.Barrier(ctx) != nil {
			continue
		}
		if _, err := node.Tree().View().Get("/lost0"); err == nil {
			return errors.New("a quorum read gave a key that the cluster does not have")
		}
	}
	return nil
}

// claims gives the member's state of asking for reports.
func (r *replica) claims() claims {
	r.c.t.Helper()
	var d claims
	r.node().core.takeTurn(func() { d = r.node().core.checker.claims })
	return d
}

// TestUnconfirmedContradiction sends a follower, in its leader's name, an append that contradicts its log. The leader
// does not confirm it, so the follower continues.
func TestUnconfirmedContradiction(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	lead := c.leader()
	follower := c.others(lead)[0]
	for i := range 5 {
		lead.set("/key", fmt.Sprint(i))
	}
	c.settle()
	committed := follower.node().Status().Committed
	for range 3 {
		before := time.Now()
		m := follower.forged(raftpb.MsgApp, lead.id)
		m.Index, m.LogTerm = new(committed-1), new(m.GetTerm())
		m.Term = new(m.GetTerm() + 1)
		m.Entries = []*raftpb.Entry{{Index: &committed, Term: m.Term, Data: []byte("other")}}
		follower.receive(m)
		c.await("the leader to be asked", func() bool { return follower.claims().asked.After(before) && !follower.claims().asking })
		if d := follower.claims(); d.failed != nil {
			t.Errorf("the leader could not be asked: %v", d.failed)
		}
		<-time.After(claimPause)
	}
	if closed(follower.node().Done()) {
		t.Fatalf("the follower ended with %v", follower.node().Err())
	}
	c.leader().set("/key", "after")
	c.settle()
}

// TestReturnToUnknownMembers starts a member that was down in a cluster whose leader it does not know.
func TestReturnToUnknownMembers(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	away := c.follower()
	away.kill()
	known := c.leader()
	added := []*replica{c.add(known), c.add(known)}
	other := c.others(known)[0]
	if other == added[0] || other == added[1] {
		t.Fatal("no founder is left to remove")
	}
	c.remove(other, known)
	c.must("transfer", func(ctx context.Context) error { return known.node().TransferLeader(ctx, added[0].id) })
	c.leader().set("/key", "value")
	away.restart()
	c.awaitServing(away)
	if got, err := away.get("/key"); got != "value" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	c.settle()
}

// TestAllMembersWereReplaced starts a member after all members that it knows were replaced. Without the present
// members in its flags it logs what to do. With them it takes part.
func TestAllMembersWereReplaced(t *testing.T) {
	t.Parallel()
	var logged logs
	c := newCluster(t, 3, logged.tune)
	away := c.follower()
	away.kill()
	leaving := c.others(away)
	added := c.add(leaving[0])
	c.remove(leaving[0], leaving[1])
	c.add(leaving[1])
	c.remove(leaving[1], added)
	c.leader().set("/key", "value")
	old := c.members[:3]
	away.named = old
	away.restart()
	c.await("the member to say what it lacks", func() bool {
		return len(logged.lines(away, "list the present ones in --initial-cluster")) > 0
	})
	away.kill()
	away.named = nil
	away.restart()
	c.awaitServing(away)
	if lines := logged.lines(away, "an unknown member was refused"); len(lines) > 0 {
		t.Errorf("%d lines about members that the flags name", len(lines))
	}
	c.settle()
}
