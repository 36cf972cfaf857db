package raft

import (
	"fmt"
	"math"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// receive passes a message to the member, as if it had come over a stream.
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
		"an acknowledgement beyond the log": {lead, func() *raftpb.Message {
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
	c := newCluster(t, 3, steady) // none of the messages may change the term
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
			lead.set("/after", name)
			if got := test.to.mustGet("/after"); got != name {
				t.Errorf("read %q", got)
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

// TestTermJumps checks that every term is accepted which elections can have reached, and no flood of jumps.
func TestTermJumps(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	nodeCore := c.leader().node().core
	vote := func(term uint64) error {
		return nodeCore.checker.checkTerm(&raftpb.Message{Type: raftpb.MsgVote.Enum(), Term: &term})
	}
	nodeCore.takeTurn(func() {
		own := nodeCore.state.term.Load()
		defer nodeCore.state.term.Store(own)
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
			nodeCore.state.term.Store(test.own)
			if err := vote(test.term); (err == nil) != test.legal {
				t.Errorf("term %d in term %d: %v", test.term, test.own, err)
			}
		}
		nodeCore.checker.jumped = time.Now().Add(-jumpPause)
		nodeCore.state.term.Store(5)
		if err := vote(5 + maxTermJump); err != nil {
			t.Errorf("a jump some time after another one: %v", err)
		}
	})
}
