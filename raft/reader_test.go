package raft

import (
	"testing"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// TestSoleVoterAnswersNoReadTooEarly asks the only voter for a read index, as a learner does, when it has just become
// leader: it may answer only after it has committed an entry of its term.
func TestSoleVoterAnswersNoReadTooEarly(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	m.start()
	m.set("/key", "1")
	const learner = 9
	ask := func(c *core) (answers []*raftpb.Message) {
		c.receive(&raftpb.Message{
			Type: raftpb.MsgReadIndex.Enum(), From: new(uint64(learner)), To: (*uint64)(&c.state.id),
			Entries: []*raftpb.Entry{{Data: []byte("round")}},
		})
		if !c.raw.HasReady() {
			return nil
		}
		rd := c.raw.Ready()
		for _, m := range rd.Messages {
			if m.GetType() == raftpb.MsgReadIndexResp {
				answers = append(answers, m)
			}
		}
		c.handle(rd)
		return answers
	}
	done := make(chan struct{})
	m.node.inbox.post(func(c *core) {
		defer close(done)
		term := c.raw.BasicStatus().GetTerm() + 1
		heartbeat := &raftpb.Message{Type: raftpb.MsgHeartbeat.Enum(), From: new(uint64(learner)), To: (*uint64)(&c.state.id), Term: &term}
		if err := c.raw.Step(heartbeat); err != nil {
			t.Error(err)
		}
		if err := c.raw.Campaign(); err != nil {
			t.Error(err)
		}
		for c.raw.HasReady() && c.raw.BasicStatus().RaftState != etcdraft.StateLeader {
			c.handle(c.raw.Ready())
		}
		if early := ask(c); len(early) > 0 {
			t.Errorf("a read is answered with index %d, before anything was committed in term %d", early[0].GetIndex(), term)
		}
		for c.raw.HasReady() {
			c.handle(c.raw.Ready())
		}
		if answers := ask(c); len(answers) != 1 || answers[0].GetIndex() < c.state.lastIndex {
			t.Errorf("a read is answered with %v, want index %d", answers, c.state.lastIndex)
		}
		c.receive(&raftpb.Message{Type: raftpb.MsgReadIndex.Enum(), From: (*uint64)(&c.state.id), To: (*uint64)(&c.state.id)})
	})
	<-done
	if err := m.node.Barrier(t.Context()); err != nil {
		t.Error(err)
	}
	m.set("/key", "2")
}
