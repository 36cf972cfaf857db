package raft

import (
	"testing"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// TestSoleVoterAnswersNoReadTooEarly asks the only member with a vote for a read index, as a learner does, when it has just
// become leader: it may answer only when it has committed in its term.
func TestSoleVoterAnswersNoReadTooEarly(t *testing.T) {
	m := newTestMember(t)
	m.start()
	m.set("/key", "1")
	const learner = 9
	ask := func(l *loop) (answers []*raftpb.Message) {
		l.receive(&raftpb.Message{Type: raftpb.MsgReadIndex.Enum(), From: new(uint64(learner)), To: (*uint64)(&l.id), Entries: []*raftpb.Entry{{Data: []byte("round")}}})
		if !l.raw.HasReady() {
			return nil
		}
		rd := l.raw.Ready()
		for _, m := range rd.Messages {
			if m.GetType() == raftpb.MsgReadIndexResp {
				answers = append(answers, m)
			}
		}
		l.handle(rd)
		return answers
	}
	done := make(chan struct{})
	m.node.inbox.post(func(l *loop) {
		defer close(done)
		term := l.raw.BasicStatus().GetTerm() + 1
		heartbeat := &raftpb.Message{Type: raftpb.MsgHeartbeat.Enum(), From: new(uint64(learner)), To: (*uint64)(&l.id), Term: &term}
		if err := l.raw.Step(heartbeat); err != nil {
			t.Error(err)
		}
		if err := l.raw.Campaign(); err != nil {
			t.Error(err)
		}
		for l.raw.HasReady() && l.raw.BasicStatus().RaftState != etcdraft.StateLeader {
			l.handle(l.raw.Ready())
		}
		if early := ask(l); len(early) > 0 {
			t.Errorf("a read is answered with index %d, before anything was committed in term %d", early[0].GetIndex(), term)
		}
		for l.raw.HasReady() {
			l.handle(l.raw.Ready())
		}
		if answers := ask(l); len(answers) != 1 || answers[0].GetIndex() < l.lastIndex {
			t.Errorf("a read is answered with %v, want index %d", answers, l.lastIndex)
		}
		l.receive(&raftpb.Message{Type: raftpb.MsgReadIndex.Enum(), From: (*uint64)(&l.id), To: (*uint64)(&l.id)})
	})
	<-done
	if err := m.node.Barrier(t.Context()); err != nil {
		t.Error(err)
	}
	m.set("/key", "2")
}
