package raft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"go.uber.org/zap"

	"pando/members"
	"pando/raft/transport"
)

// Why a change of the membership is refused before it is proposed.
var (
	// ErrRemoved says that this member was removed from the cluster. It can't
	// come back; a new member can take its place.
	ErrRemoved = errors.New("raft: this member was removed from the cluster: delete its data directory, add it again as a new member, and start it with --initial-cluster-state existing")
	// ErrNotEnoughMembers says that the cluster would lose its quorum.
	ErrNotEnoughMembers = errors.New("re-configuration failed due to not enough started members")
	// ErrUnhealthy says that not enough members can be reached to change them.
	ErrUnhealthy = errors.New("unhealthy cluster: a quorum of the members must be reachable before members are changed")
	// ErrNotMember says that leadership can't go to a member without a vote.
	ErrNotMember = errors.New("raft: no member with a vote has this ID")
)

// membership is the loop's account of changes under way.
type membership struct {
	waiting map[uint64]changeWaiter // by the change's ID
	number  uint64
	queued  []task
	// promoting is the learner whose promotion was proposed last, and when.
	promoting members.ID
	since     time.Time
	// proposed is when this member last told its name and client URLs.
	proposed time.Time
	// leaving is when a member that was removed stops; zero while it stays.
	leaving time.Time
}

// changeWaiter is who waits for a change.
type changeWaiter struct {
	ctx    context.Context // of the caller; once it is done, nobody waits
	answer chan error
	change *raftpb.ConfChange
	since  time.Time
	// again is when the change is proposed once more: raft drops one while
	// another is under way anywhere, and tells nobody.
	again time.Time
}

// memberChange is what the context of a configuration change holds.
type memberChange struct {
	members.Member
}

// MarshalJSON keeps what Member's own form leaves out.
func (c memberChange) MarshalJSON() ([]byte, error) {
	type plain struct {
		ID         members.ID `json:"id"`
		PeerURLs   []string   `json:"peerURLs"`
		Name       string     `json:"name,omitempty"`
		ClientURLs []string   `json:"clientURLs,omitempty"`
		Learner    bool       `json:"learner,omitempty"`
	}
	return json.Marshal(plain{c.ID, c.PeerURLs, c.Name, c.ClientURLs, c.Learner})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *memberChange) UnmarshalJSON(data []byte) error {
	if err := c.Member.UnmarshalJSON(data); err != nil {
		return err
	}
	var extra struct {
		Learner bool `json:"learner"`
	}
	if err := json.Unmarshal(data, &extra); err != nil {
		return err
	}
	c.Learner = extra.Learner
	return nil
}

func encodeMember(m members.Member) []byte {
	b, err := json.Marshal(memberChange{m})
	if err != nil { // strings and a number: there is nothing that could fail
		return nil
	}
	return b
}

// AddMember brings a member in, as a learner: it gets the log and has no vote
// until it has caught up, so a mistyped URL can't cost the quorum. The errors
// are those of members.Registry.Add, ErrUnhealthy, or *tree.Error.
func (n *Node) AddMember(ctx context.Context, m members.Member) error {
	m.Learner = true
	return n.reconfigure(ctx, raftpb.ConfChangeAddLearnerNode, m)
}

// RemoveMember takes a member out for good. The errors are those of
// members.Registry.Remove, ErrNotEnoughMembers, or *tree.Error.
func (n *Node) RemoveMember(ctx context.Context, id members.ID) error {
	return n.reconfigure(ctx, raftpb.ConfChangeRemoveNode, members.Member{ID: id})
}

// UpdateMember gives a member other peer URLs. The errors are those of
// members.Registry.UpdatePeerURLs, or *tree.Error.
func (n *Node) UpdateMember(ctx context.Context, id members.ID, peerURLs []string) error {
	return n.reconfigure(ctx, raftpb.ConfChangeUpdateNode, members.Member{ID: id, PeerURLs: peerURLs})
}

// TransferLeader asks the leader to hand over to another member, and waits
// until that leads. The errors are ErrNotMember, or *tree.Error.
func (n *Node) TransferLeader(ctx context.Context, to members.ID) error {
	if m, ok := n.registry.Get(to); !ok || m.Learner {
		return ErrNotMember
	}
	ctx, cancel := context.WithTimeout(ctx, n.timeout)
	defer cancel()
	n.inbox.post(func(c *core) { c.raw.TransferLeader(uint64(to)) })
	ticker := time.NewTicker(n.tick)
	defer ticker.Stop()
	for n.Leader() != to {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return apiError(ctx.Err())
		case <-n.done:
			return apiError(ErrStopped)
		}
	}
	return nil
}

func (n *Node) reconfigure(ctx context.Context, kind raftpb.ConfChangeType, m members.Member) error {
	ctx, cancel := context.WithTimeout(ctx, n.timeout)
	defer cancel()
	answer := make(chan error, 1)
	if !n.inbox.post(func(c *core) { c.reconfigure(ctx, kind, m, answer) }) {
		return apiError(ErrStopped)
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return apiError(ctx.Err())
	case <-n.done:
		return apiError(ErrStopped)
	}
}

// reconfigure checks a change as far as this member can, and proposes it. One
// change is under way at a time; raft would drop a second. One whose caller has given
// up while it waited is not made: the caller may have asked for something else since.
func (c *core) reconfigure(ctx context.Context, kind raftpb.ConfChangeType, m members.Member, answer chan error) {
	if len(c.membership.waiting) > 0 {
		c.membership.queued = append(c.membership.queued, func(c *core) { c.reconfigure(ctx, kind, m, answer) })
		return
	}
	if ctx.Err() != nil {
		c.nextChange()
		return
	}
	if err := c.allow(kind, m); err != nil {
		answer <- err
		c.nextChange()
		return
	}
	c.membership.number++
	id := c.membership.number
	cc := &raftpb.ConfChange{Id: &id, Type: kind.Enum(), NodeId: (*uint64)(&m.ID), Context: encodeMember(m)}
	w := changeWaiter{ctx: ctx, answer: answer, change: cc, since: time.Now()}
	c.proposeChange(&w, w.since)
	c.membership.waiting[id] = w
}

// proposeChange proposes a change for the first time or again. If more than one
// gets through, the registry refuses all but the first.
func (c *core) proposeChange(w *changeWaiter, now time.Time) {
	w.again = now.Add(time.Duration(c.cfg.ElectionTicks) * c.cfg.Tick)
	if err := c.raw.ProposeConfChange(w.change); err != nil {
		c.log.Debug("change of the members not proposed", zap.Error(err))
	}
}

// allow refuses what would be refused when it is applied, and what would leave
// the cluster without a quorum of reachable members.
func (c *core) allow(kind raftpb.ConfChangeType, m members.Member) error {
	if err := c.tryChange(kind, m); err != nil {
		return err
	}
	switch kind {
	case raftpb.ConfChangeRemoveNode:
		return c.allowRemoval(uint64(m.ID))
	case raftpb.ConfChangeAddLearnerNode:
		if voters := c.confState.GetVoters(); c.reachable(voters) < len(voters)/2+1 {
			return ErrUnhealthy
		}
	}
	return nil
}

func (c *core) allowRemoval(id uint64) error {
	voters := c.confState.GetVoters()
	if !slices.Contains(voters, id) {
		return nil
	}
	left := slices.DeleteFunc(slices.Clone(voters), func(v uint64) bool { return v == id })
	if len(left) == 0 || c.reachable(left) < len(left)/2+1 {
		return ErrNotEnoughMembers
	}
	return nil
}

// reachable counts the members that were heard of within an election timeout.
func (c *core) reachable(ids []uint64) int {
	n := 0
	for _, id := range ids {
		if id == uint64(c.id) || time.Since(c.transport.LastReceived(members.ID(id))) < transport.StreamTimeout {
			n++
		}
	}
	return n
}

// tryChange tells what the registry would say to a change.
func (c *core) tryChange(kind raftpb.ConfChangeType, m members.Member) error {
	scratch := members.NewRegistry(c.registry.ClusterID())
	if err := scratch.Unmarshal(c.registry.Marshal()); err != nil {
		return err
	}
	return changeRegistry(scratch, kind, m)
}

func changeRegistry(r *members.Registry, kind raftpb.ConfChangeType, m members.Member) error {
	switch kind {
	case raftpb.ConfChangeAddNode, raftpb.ConfChangeAddLearnerNode:
		if old, ok := r.Get(m.ID); ok && old.Learner && kind == raftpb.ConfChangeAddNode {
			return r.Promote(m.ID)
		}
		return r.Add(m)
	case raftpb.ConfChangeRemoveNode:
		return r.Remove(m.ID)
	case raftpb.ConfChangeUpdateNode:
		return r.UpdatePeerURLs(m.ID, m.PeerURLs)
	}
	return fmt.Errorf("%w: change of membership %v", errEntry, kind)
}

// change applies a change to the registry. It refuses to take out the last member
// with a vote, on which the upstream library panics, on every member alike.
func (c *core) change(kind raftpb.ConfChangeType, m members.Member) error {
	if voters := c.confState.GetVoters(); kind == raftpb.ConfChangeRemoveNode && len(voters) == 1 && voters[0] == uint64(m.ID) {
		return ErrNotEnoughMembers
	}
	return changeRegistry(c.registry, kind, m)
}

// applyConfChange applies a committed change. One that the registry refuses
// changes nothing, on every member alike.
func (l *core) applyConfChange(index uint64, data []byte) error {
	cc, c, err := decodeConfChange(data)
	if err != nil {
		return err
	}
	refused := l.change(cc.GetType(), c.Member)
	if refused != nil {
		none := etcdraft.None
		cc.NodeId = &none
	}
	l.confState = l.raw.ApplyConfChange(cc)
	if refused == nil {
		l.storage.reconfigured(index)
	}
	l.refreshPeers()
	if w, ok := l.membership.waiting[cc.GetId()]; ok {
		delete(l.membership.waiting, cc.GetId())
		w.answer <- refused
		l.nextChange()
	}
	if refused == nil && index > l.replayed {
		l.log.Info("members changed", zap.Stringer("change", cc.GetType()), zap.Stringer("member", c.ID), zap.Strings("peer-urls", c.PeerURLs))
	}
	if l.registry.Removed(l.id) {
		l.stopSoon()
	}
	return nil
}

// nextChange begins the change that waited longest.
func (c *core) nextChange() {
	if queued := c.membership.queued; len(queued) > 0 {
		c.membership.queued = queued[1:]
		c.inbox.post(queued[0])
	}
}

// leaveSoon stops this member, which was removed, after the others have had
// the time to learn of it from it.
func (c *core) stopSoon() {
	if c.membership.leaving.IsZero() {
		c.log.Warn("this member was removed from the cluster and stops")
		c.membership.leaving = time.Now().Add(time.Duration(c.cfg.ElectionTicks) * c.cfg.Tick)
	}
}

// tendMembers is called each tick: it promotes learners that have caught up,
// and stops a member that was removed.
func (c *core) membershipTick(now time.Time) {
	m := &c.membership
	c.publishAttributes(now)
	if !m.leaving.IsZero() && now.After(m.leaving) {
		c.fail(ErrRemoved)
		return
	}
	for id, w := range m.waiting {
		switch {
		case w.ctx.Err() != nil:
			delete(m.waiting, id)
			c.nextChange()
		case now.After(w.again) && w.change.GetType() != raftpb.ConfChangeUpdateNode:
			c.proposeChange(&w, now)
			m.waiting[id] = w
		}
	}
	if len(c.confState.GetLearners()) == 0 || !c.leads() {
		return
	}
	c.raw.WithProgress(func(id uint64, kind etcdraft.ProgressType, p tracker.Progress) {
		if kind == etcdraft.ProgressTypeLearner && p.RecentActive && p.Match+promoteWithin >= c.committed.Load() && p.Match > 0 {
			c.promote(members.ID(id), now)
		}
	})
}

// promoteWithin is how many entries a learner may be behind when it gets its
// vote.
const promoteWithin = 100

// promotePause is the time after which a promotion that was not applied is proposed
// again, of the same learner or of another.
const promotePause = time.Second

func (c *core) isLearner(id members.ID) bool {
	m, known := c.registry.Get(id)
	return known && m.Learner
}

// promote proposes to give a learner its vote, again after a while if nothing
// came of it.
func (c *core) promote(id members.ID, now time.Time) {
	m := &c.membership
	if now.Sub(m.since) < promotePause && c.isLearner(m.promoting) {
		return // raft would drop a second change of the membership beside that one
	}
	member, ok := c.registry.Get(id)
	if !ok || !member.Learner {
		return
	}
	m.promoting, m.since = id, now
	member.Learner = false
	m.number++
	number := m.number
	cc := &raftpb.ConfChange{Id: &number, Type: raftpb.ConfChangeAddNode.Enum(), NodeId: (*uint64)(&id), Context: encodeMember(member)}
	if err := c.raw.ProposeConfChange(cc); err != nil {
		c.log.Debug("promotion not proposed", zap.Error(err))
	}
}
