package raft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"pando/members"
)

// AddMember adds a member as a learner: it gets the log but no vote until it has caught up, so a wrong URL cannot cost the
// quorum. With ManualPromotion it has no vote until PromoteMember is called. The errors are those of members.Registry.Add,
// members.ErrUnhealthy, or *tree.Error.
func (n *Node) AddMember(ctx context.Context, m members.Member) error {
	m.Learner = true
	return n.reconfigure(ctx, raftpb.ConfChangeAddLearnerNode, m)
}

// RemoveMember removes a member for good. The errors are those of members.Registry.Remove, members.ErrNotEnoughMembers, or
// *tree.Error.
func (n *Node) RemoveMember(ctx context.Context, id members.ID) error {
	return n.reconfigure(ctx, raftpb.ConfChangeRemoveNode, members.Member{ID: id})
}

// UpdateMember replaces the peer URLs of a member. The errors are those of members.Registry.UpdatePeerURLs, or *tree.Error.
func (n *Node) UpdateMember(ctx context.Context, id members.ID, peerURLs []string) error {
	return n.reconfigure(ctx, raftpb.ConfChangeUpdateNode, members.Member{ID: id, PeerURLs: peerURLs})
}

// PromoteMember gives a learner a vote and waits until it has it. The errors are members.ErrIDNotFound, members.ErrIDRemoved,
// members.ErrNotLearner, members.ErrLearnerNotReady, or *tree.Error.
func (n *Node) PromoteMember(ctx context.Context, id members.ID) error {
	// Without this, the list of a member that lags may not have the learner yet, or not its vote.
	if err := n.catchUp(ctx); err != nil {
		return err
	}
	m, known := n.registry.Get(id)
	if known && !m.Learner {
		return members.ErrNotLearner
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 2*promotionPause, members.ErrLearnerNotReady)
	defer cancel()
	if !m.ManualPromotion {
		return n.awaitPromotion(ctx, id)
	}
	// While the learner has not caught up, the leader refuses a change that it proposes itself, and drops one that another member has
	// proposed.
	m.Learner, m.ManualPromotion = false, false
	err := n.reconfigure(ctx, raftpb.ConfChangeAddNode, m)
	if context.Cause(ctx) == members.ErrLearnerNotReady {
		return members.ErrLearnerNotReady
	}
	return err
}

// awaitPromotion waits until a learner has a vote. It proposes nothing: the leader promotes learners that have caught up. After the
// deadline of ctx it returns members.ErrLearnerNotReady, if that is the cause.
func (n *Node) awaitPromotion(ctx context.Context, id members.ID) error {
	ticker := time.NewTicker(n.core.cfg.Tick)
	defer ticker.Stop()
	for {
		m, ok := n.registry.Get(id)
		switch {
		case !ok && n.registry.Removed(id):
			return members.ErrIDRemoved
		case !ok:
			return members.ErrIDNotFound
		case !m.Learner:
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if cause := context.Cause(ctx); cause == members.ErrLearnerNotReady {
				return cause
			}
			return apiError(ctx.Err())
		case <-n.done:
			return apiError(ErrStopped)
		}
	}
}

// TransferLeader asks the leader to transfer the leadership to another member, and waits until that member leads. The
// errors are ErrNotMember, or *tree.Error.
func (n *Node) TransferLeader(ctx context.Context, to members.ID) error {
	if m, ok := n.registry.Get(to); !ok || m.Learner {
		return ErrNotMember
	}
	ctx, cancel := context.WithTimeout(ctx, n.core.cfg.Timeout)
	defer cancel()
	n.inbox.post(func(c *core) { c.raw.TransferLeader(uint64(to)) })
	ticker := time.NewTicker(n.core.cfg.Tick)
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

// reconfigure has a change of the membership made, and waits until it is applied. A member that lags may refuse a change by an old list
// of members, after another member has acknowledged the change before. So a refused change is tried again on a list that is up to date.
func (n *Node) reconfigure(ctx context.Context, kind raftpb.ConfChangeType, m members.Member) error {
	ctx, cancel := context.WithTimeout(ctx, n.core.cfg.Timeout)
	defer cancel()
	err := n.tryReconfigure(ctx, kind, m)
	if refusedByList(err) && n.catchUp(ctx) == nil {
		err = n.tryReconfigure(ctx, kind, m)
	}
	return err
}

// refusedByList reports whether an error depends on the list of members.
func refusedByList(err error) bool {
	return slices.ContainsFunc([]error{
		members.ErrIDExists, members.ErrIDNotFound, members.ErrIDRemoved, members.ErrPeerURLExists, members.ErrTooManyLearners,
		members.ErrNotLearner,
	}, func(refusal error) bool { return errors.Is(err, refusal) })
}

// catchUp waits until the list of members has every change that any member acknowledged before the call. Its errors are *tree.Error.
func (n *Node) catchUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.core.cfg.Timeout)
	defer cancel()
	return n.Barrier(ctx)
}

// tryReconfigure is one attempt of reconfigure.
func (n *Node) tryReconfigure(ctx context.Context, kind raftpb.ConfChangeType, m members.Member) error {
	x := &memberChange{ctx: ctx, kind: kind, member: m, answer: make(chan error, 1)}
	if !n.inbox.post(func(c *core) { c.membership.begin(x) }) {
		return apiError(ErrStopped)
	}
	select {
	case err := <-x.answer:
		return err
	case <-ctx.Done():
		return apiError(ctx.Err())
	case <-n.done:
		return x.resultAtEnd()
	}
}

// resultAtEnd returns the result of a change when the node has ended. The removal of this member is answered, and ends the node.
func (x *memberChange) resultAtEnd() error {
	select {
	case err := <-x.answer:
		return err
	default:
		return apiError(ErrStopped)
	}
}

// changedMember is the member that a change of the membership concerns. The entry has it as the context of the ConfChange.
type changedMember struct {
	members.Member
}

// MarshalJSON writes all fields. Member's own form is that of the HTTP API, which has no learners.
func (c changedMember) MarshalJSON() ([]byte, error) {
	type plain struct {
		ID         members.ID `json:"id"`
		PeerURLs   []string   `json:"peerURLs"`
		Name       string     `json:"name,omitempty"`
		ClientURLs []string   `json:"clientURLs,omitempty"`
		Learner    bool       `json:"learner,omitempty"`

		ManualPromotion bool `json:"manualPromotion,omitempty"`
	}
	return json.Marshal(plain{c.ID, c.PeerURLs, c.Name, c.ClientURLs, c.Learner, c.ManualPromotion})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *changedMember) UnmarshalJSON(data []byte) error {
	if err := c.Member.UnmarshalJSON(data); err != nil {
		return err
	}
	var extra struct {
		Learner         bool `json:"learner"`
		ManualPromotion bool `json:"manualPromotion"`
	}
	if err := json.Unmarshal(data, &extra); err != nil {
		return err
	}
	c.Learner, c.ManualPromotion = extra.Learner, extra.ManualPromotion
	return nil
}

func encodeMember(m members.Member) []byte {
	b, err := json.Marshal(changedMember{m})
	if err != nil { // cannot happen: the fields are strings and a number
		return nil
	}
	return b
}

// decodeConfChange reads the data of an entry with a change of the membership. Its errors wrap errEntry.
func decodeConfChange(data []byte) (*raftpb.ConfChange, changedMember, error) {
	cc, m := &raftpb.ConfChange{}, changedMember{}
	if err := proto.Unmarshal(data, cc); err != nil {
		return nil, m, fmt.Errorf("%w: %w", errEntry, err)
	}
	if err := json.Unmarshal(cc.GetContext(), &m); err != nil {
		return nil, m, fmt.Errorf("%w: member: %w", errEntry, err)
	}
	if _, known := raftpb.ConfChangeType_name[int32(cc.GetType())]; !known {
		return nil, m, fmt.Errorf("%w: change of membership %v", errEntry, cc.GetType())
	}
	if cc.GetNodeId() != uint64(m.ID) || m.ID == 0 {
		return nil, m, fmt.Errorf("%w: a change of member %x with the data of member %s", errEntry, cc.GetNodeId(), m.ID)
	}
	return cc, m, nil
}

// confChangeEntry makes the entry of a change of the membership that no caller waits for.
func confChangeEntry(index, term uint64, kind raftpb.ConfChangeType, m members.Member) (*raftpb.Entry, error) {
	cc := &raftpb.ConfChange{Type: kind.Enum(), NodeId: (*uint64)(&m.ID), Context: encodeMember(m)}
	data, err := proto.Marshal(cc)
	if err != nil {
		return nil, fmt.Errorf("raft: change of membership: %w", err)
	}
	return &raftpb.Entry{Type: raftpb.EntryConfChange.Enum(), Index: &index, Term: &term, Data: data}, nil
}

// changeRegistry applies a change of the membership to a registry. The errors are the registry's.
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
