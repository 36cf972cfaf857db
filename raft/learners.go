package raft

import (
	"time"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"go.uber.org/zap"

	"pando/members"
)

// promotionLag is the largest number of entries by which a learner may lag behind when it gets its vote.
const promotionLag = 100

// promotionPause is the time after which a promotion that was not applied is proposed again, of the same learner or of
// another one.
const promotionPause = time.Second

// promoteLearners proposes a vote for learners that have caught up, if this member leads. The core calls it each tick.
func (m *membershipManager) promoteLearners() {
	if len(m.state.confState.GetLearners()) == 0 || !m.state.leads() {
		return
	}
	m.raft.WithProgress(func(id uint64, kind etcdraft.ProgressType, p tracker.Progress) {
		caughtUp := p.Match > 0 && p.Match+promotionLag >= m.state.committed.Load()
		if kind == etcdraft.ProgressTypeLearner && p.RecentActive && caughtUp {
			m.promote(members.ID(id))
		}
	})
}

// promote proposes the vote of a learner, unless a promotion was just proposed that is not applied yet: raft would drop
// the second one.
func (m *membershipManager) promote(id members.ID) {
	if _, learner := m.learner(m.promoting); learner && m.promotion.isSet() {
		return
	}
	member, learner := m.learner(id)
	if !learner {
		return
	}
	m.promoting = id
	m.promotion.set(time.Now().Add(promotionPause))
	member.Learner = false
	if err := m.raft.ProposeConfChange(m.newConfChange(raftpb.ConfChangeAddNode, member)); err != nil {
		m.log.Debug("promotion not proposed", zap.Error(err))
	}
}

func (m *membershipManager) learner(id members.ID) (members.Member, bool) {
	member, ok := m.registry.Get(id)
	return member, ok && member.Learner
}
