package raft

import (
	"context"
	"errors"
	"slices"
	"time"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"go.uber.org/zap"

	"pando/members"
	"pando/raft/transport"
)

// The reasons why a change of the membership is refused before it is proposed.
var (
	// ErrRemoved means that this member was removed from the cluster, which is final.
	ErrRemoved = errors.New("raft: this member was removed from the cluster: delete its data directory, " +
		"add it again as a new member, and start it with --initial-cluster-state existing")
	// ErrNotMember means that no member with a vote has the ID.
	ErrNotMember = errors.New("raft: no member with a vote has this ID")
)

// membershipManager makes changes of the membership, one after the other: raft drops a change while another one is not
// applied. It promotes learners that have caught up, unless they have ManualPromotion, and ends this member when it was removed.
//
//	AddMember ... ─► queued ─► in progress: proposed, and proposed again ─► applied: answered
//	                   │            │ each election timeout
//	                   ▼            ▼
//	                 the caller has given up
//
// Only the goroutine that has the turn may use it.
type membershipManager struct {
	state    *logState
	raft     confChanger
	registry *members.Registry
	log      *zap.Logger
	// lastReceived returns the time of the last frame from a member; zero if the member has no stream to this one.
	lastReceived func(members.ID) time.Time
	post         func(do func())    // runs do in a later turn
	changed      func(index uint64) // runs after a change that had an effect
	refreshPeers func()
	fail         func(error)

	electionTimeout time.Duration
	tick            func() time.Time // the time of the next tick

	number     uint64          // of the last change; begins at random, where no earlier process of this member was
	inProgress *memberChange   // nil while no change is in progress
	queued     []*memberChange // the oldest first
	promoting  members.ID      // the learner whose promotion was proposed last

	abandoned *deadline // looks whether the caller of the change in progress has given up
	retry     *deadline // proposes the change in progress again
	promotion *deadline // while set, the promotion that was proposed last may still be applied
	removal   *deadline // ends this member after its removal
}

// confChanger is the part of the raft library that a membershipManager uses.
type confChanger interface {
	ProposeConfChange(cc raftpb.ConfChangeI) error
	ApplyConfChange(cc raftpb.ConfChangeI) *raftpb.ConfState
	WithProgress(visit func(id uint64, kind etcdraft.ProgressType, p tracker.Progress))
}

// memberChange is a change of the membership that a caller waits for.
type memberChange struct {
	ctx    context.Context // the caller's
	kind   raftpb.ConfChangeType
	member members.Member
	answer chan error         // has room for one
	conf   *raftpb.ConfChange // nil while the change is queued
}

func (m *membershipManager) addDeadlines(d *deadlines) {
	m.tick = func() time.Time { return d.inTicks(1) }
	m.abandoned = d.add(func(time.Time) { m.dropIfAbandoned() })
	m.retry = d.add(m.proposeAgain)
	m.promotion = d.add(func(time.Time) {})
	m.removal = d.add(func(time.Time) { m.fail(ErrRemoved) })
}

// begin checks a change and proposes it, or queues it while another change is in progress. It drops a change whose caller has
// given up in the queue: the caller may have asked for another change since.
func (m *membershipManager) begin(x *memberChange) {
	if m.inProgress != nil {
		m.queued = append(m.queued, x)
		return
	}
	if x.ctx.Err() != nil {
		m.beginNext()
		return
	}
	if err := m.allow(x.kind, x.member); err != nil {
		x.answer <- err
		m.beginNext()
		return
	}
	x.conf = m.newConfChange(x.kind, x.member)
	m.inProgress = x
	m.abandoned.set(m.tick())
	m.proposeAgain(time.Now())
}

// beginNext begins the oldest queued change in a later turn: raft drops a change that is proposed before raft has been
// notified that the last change is applied.
func (m *membershipManager) beginNext() {
	if len(m.queued) == 0 {
		return
	}
	next := m.queued[0]
	m.queued = m.queued[1:]
	m.post(func() { m.begin(next) })
}

// proposeAgain proposes the change in progress, for the first time or again: while another member's change is not applied,
// raft drops a change silently. If the change gets into the log twice, the registry refuses it the second time. The registry
// would not refuse a change of URLs, so such a change is proposed once.
func (m *membershipManager) proposeAgain(now time.Time) {
	x := m.inProgress
	if x == nil {
		return
	}
	if x.kind != raftpb.ConfChangeUpdateNode {
		m.retry.set(now.Add(m.electionTimeout))
	}
	if err := m.raft.ProposeConfChange(x.conf); err != nil {
		m.log.Debug("change of the members not proposed", zap.Error(err))
	}
}

// dropIfAbandoned ends the change in progress if its caller has given up.
func (m *membershipManager) dropIfAbandoned() {
	switch {
	case m.inProgress == nil:
	case m.inProgress.ctx.Err() != nil:
		m.end()
	default:
		m.abandoned.set(m.tick())
	}
}

// end ends the change in progress, and begins the next one.
func (m *membershipManager) end() {
	m.inProgress = nil
	m.retry.cancel()
	m.abandoned.cancel()
	m.beginNext()
}

func (m *membershipManager) newConfChange(kind raftpb.ConfChangeType, member members.Member) *raftpb.ConfChange {
	m.number++
	number, id := m.number, uint64(member.ID)
	return &raftpb.ConfChange{Id: &number, Type: kind.Enum(), NodeId: &id, Context: encodeMember(member)}
}

// allow refuses a change that the registry would refuse, and one that would leave the cluster without a quorum of
// reachable members.
func (m *membershipManager) allow(kind raftpb.ConfChangeType, member members.Member) error {
	scratch := members.NewRegistry(m.registry.ClusterID())
	if err := scratch.Unmarshal(m.registry.Marshal()); err != nil {
		return err
	}
	if err := changeRegistry(scratch, kind, member); err != nil {
		return err
	}
	switch kind {
	case raftpb.ConfChangeRemoveNode:
		return m.allowRemoval(uint64(member.ID))
	case raftpb.ConfChangeAddLearnerNode:
		if voters := m.state.confState.GetVoters(); m.reachable(voters) < len(voters)/2+1 {
			return members.ErrUnhealthy
		}
	case raftpb.ConfChangeAddNode:
		if m.state.leads() && !m.caughtUp(member.ID) {
			return members.ErrLearnerNotReady
		}
	}
	return nil
}

// promotesTooEarly reports whether one of the entries, which another member has proposed, promotes a learner that has not caught up.
func (m *membershipManager) promotesTooEarly(entries []*raftpb.Entry) bool {
	return m.state.leads() && slices.ContainsFunc(entries, func(e *raftpb.Entry) bool {
		if e.GetType() != raftpb.EntryConfChange {
			return false
		}
		cc, c, err := decodeConfChange(e.GetData())
		return err == nil && cc.GetType() == raftpb.ConfChangeAddNode && !m.caughtUp(c.ID)
	})
}

func (m *membershipManager) allowRemoval(id uint64) error {
	voters := m.state.confState.GetVoters()
	if !slices.Contains(voters, id) {
		return nil
	}
	left := slices.DeleteFunc(slices.Clone(voters), func(v uint64) bool { return v == id })
	if len(left) == 0 || m.reachable(left) < len(left)/2+1 {
		return members.ErrNotEnoughMembers
	}
	return nil
}

// reachable counts the members from which a frame has arrived lately.
func (m *membershipManager) reachable(ids []uint64) int {
	n := 0
	for _, id := range ids {
		if id == uint64(m.state.id) || time.Since(m.lastReceived(members.ID(id))) < transport.StreamTimeout {
			n++
		}
	}
	return n
}

// apply applies a committed change. A change that the registry refuses has no effect, on every member alike.
func (m *membershipManager) apply(index uint64, data []byte) error {
	cc, c, err := decodeConfChange(data)
	if err != nil {
		return err
	}
	refused := m.changeRegistry(cc.GetType(), c.Member)
	if refused != nil {
		none := etcdraft.None
		cc.NodeId = &none
	}
	m.state.confState = m.raft.ApplyConfChange(cc)
	if refused == nil {
		m.changed(index)
	}
	m.refreshPeers()
	if x := m.inProgress; x != nil && x.conf.GetId() == cc.GetId() {
		x.answer <- refused
		m.end()
	}
	if refused == nil && index > m.state.replayed {
		m.log.Info("members changed", zap.Stringer("change", cc.GetType()), zap.Stringer("member", c.ID), zap.Strings("peer-urls", c.PeerURLs))
	}
	if m.registry.Removed(m.state.id) && !m.removal.isSet() {
		// Until it ends, this member sends the commit index of the removal to the others.
		m.log.Warn("this member was removed from the cluster and stops")
		m.removal.set(time.Now().Add(m.electionTimeout))
	}
	return nil
}

// removedByOthers ends this member because another member has reported that the cluster has removed it. The removal may not be applied
// here yet: the disk of this member is slower than those of the others, or the entry never arrives. A caller who waits for this removal
// gets its result.
func (m *membershipManager) removedByOthers() {
	if x := m.inProgress; x != nil && x.kind == raftpb.ConfChangeRemoveNode && x.member.ID == m.state.id {
		x.answer <- nil
		m.end()
	}
	m.fail(ErrRemoved)
}

// changeRegistry applies a change to the registry. It refuses to remove the only voter, which the raft library answers
// with a panic.
func (m *membershipManager) changeRegistry(kind raftpb.ConfChangeType, member members.Member) error {
	voters := m.state.confState.GetVoters()
	if kind == raftpb.ConfChangeRemoveNode && len(voters) == 1 && voters[0] == uint64(member.ID) {
		return members.ErrNotEnoughMembers
	}
	return changeRegistry(m.registry, kind, member)
}

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
		if member, _ := m.registry.Get(members.ID(id)); !member.ManualPromotion && m.readyForVote(kind, &p) {
			m.promote(members.ID(id))
		}
	})
}

// readyForVote reports whether a member is an active learner that lags by at most promotionLag entries.
func (m *membershipManager) readyForVote(kind etcdraft.ProgressType, p *tracker.Progress) bool {
	return kind == etcdraft.ProgressTypeLearner && p.RecentActive && p.Match > 0 && p.Match+promotionLag >= m.state.committed.Load()
}

// caughtUp reports whether a member is a learner that may get its vote. Only a leader may call it.
func (m *membershipManager) caughtUp(id members.ID) (ready bool) {
	m.raft.WithProgress(func(of uint64, kind etcdraft.ProgressType, p tracker.Progress) {
		if of == uint64(id) {
			ready = m.readyForVote(kind, &p)
		}
	})
	return ready
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
