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

// receive has the member take a message as if it had come over a stream.
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

// forged is a message of the current term.
func (r *replica) forged(kind raftpb.MessageType, from members.ID) *raftpb.Message {
	return &raftpb.Message{Type: kind.Enum(), From: (*uint64)(&from), Term: new(r.node().Term())}
}

// TestForgedMessages gives members what nobody in a healthy cluster sends. None ends,
// leaves its leader, or forgets what it has.
func TestForgedMessages(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	lead := c.leader()
	follower, third := c.others(lead)[0], c.others(lead)[1]
	for i := range 20 {
		lead.set(fmt.Sprintf("/key%d", i), "v")
	}
	c.settle()
	last := follower.node().Status().Committed
	for name, test := range map[string]struct {
		to *replica
		m  func() *raftpb.Message
	}{
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
			m.Entries[0].Term = new(m.GetTerm() + 1) // a later term than its own is no legal append, and must not panic either
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
		"a hand-over by one that does not lead": {follower, func() *raftpb.Message {
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
	} {
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

// TestQuestionsAboutAnyEntry asks a member for entries that it can't have. Anybody who
// reaches its peer port can.
func TestQuestionsAboutAnyEntry(t *testing.T) {
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

// TestTermLeaps takes every term that elections can have led to, and no flood of leaps.
func TestTermLeaps(t *testing.T) {
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
			{5, 6 + longJump, true}, {5, 6 + longJump, false}, // the second leap within a second
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
			t.Errorf("a leap a while after another: %v", err)
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

// putBack makes a copy the member's data again.
func (r *replica) putBack(dir string) {
	r.c.t.Helper()
	if err := errors.Join(os.RemoveAll(r.dir), os.Rename(dir, r.dir)); err != nil {
		r.c.t.Fatal(err)
	}
}

// TestContradictedLog puts the data of two members of three back from copies, lets them
// go on, and brings the third one back. It has committed what the others never had: it
// must stop, must never serve its own data to a quorum read, and must not help to commit.
func TestContradictedLog(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		tune      func(*Config)
		meanwhile int // keys that the third member has and the others have not
		after     int // keys that are written before it comes back
		// replaced says that the others no longer have the entries to compare: a snapshot
		// takes the place of what the member has.
		replaced bool
	}{
		{"longer log", nil, 60, 5, false},
		{"shorter log", nil, 5, 60, false},
		{"longer log behind a checkpoint", smallLog, 400, 5, false},
		{"shorter log behind a checkpoint", smallLog, 150, 400, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, 3, test.tune)
			for i := range 20 {
				c.leader().set(fmt.Sprintf("/old%d", i), "v")
			}
			c.settle()
			for _, r := range c.members {
				r.stop()
			}
			copies := []string{c.members[0].copyData(), c.members[1].copyData()}
			for _, r := range c.members {
				r.restart()
			}
			c.awaitServing(c.members...)
			for i := range test.meanwhile {
				c.leader().set(fmt.Sprintf("/lost%d", i), "v")
			}
			c.settle()
			for _, r := range c.members {
				r.stop()
			}
			a, b, third := c.members[0], c.members[1], c.members[2]
			a.putBack(copies[0])
			b.putBack(copies[1])
			a.restart()
			b.restart()
			c.awaitServing(a, b)
			for i := range 4 { // terms beyond those of the lost time
				to := []*replica{a, b}[i%2]
				c.leader().node().TransferLeader(context.Background(), to.id)
				c.leader().set("/elected", fmt.Sprint(i))
			}
			for i := range test.after {
				c.leader().set(fmt.Sprintf("/new%d", i), "v")
			}
			third.restart()
			node := third.node()
			wrong := make(chan error, 1)
			ctx, cancel := context.WithCancel(context.Background())
			go func() { wrong <- readsWrong(ctx, node) }()
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

// readsWrong makes quorum reads until the member ends, and tells of one that gave a key
// which the cluster has not.
func readsWrong(ctx context.Context, node *Node) error {
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

// TestUnconfirmedContradiction gives a follower, in its leader's name, an append that
// contradicts its log. The leader does not confirm it, so the follower goes on.
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

// TestReturnToStrangers lets a member that was away come back to a cluster whose leader
// it has never heard of.
func TestReturnToStrangers(t *testing.T) {
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

// TestEveryoneWasReplaced lets a member come back after all that it knew have been
// replaced. No flag names those of today: it says so, and what to do. With flags that do,
// it is back.
func TestEveryoneWasReplaced(t *testing.T) {
	t.Parallel()
	var told logs
	c := newCluster(t, 3, told.tune)
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
		return len(told.lines(away, "list the present ones in --initial-cluster")) > 0
	})
	away.kill()
	away.named = nil
	away.restart()
	c.awaitServing(away)
	if lines := told.lines(away, "an unknown member was refused"); len(lines) > 0 {
		t.Errorf("%d lines about members that the flags name", len(lines))
	}
	c.settle()
}
