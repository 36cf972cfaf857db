package raft

import (
	"context"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// AddMember adds a member as a learner: it gets the log but no vote until it has caught up, so a wrong URL cannot cost the
// quorum. The errors are those of members.Registry.Add, ErrUnhealthy, or *tree.Error.
func (n *Node) AddMember(ctx context.Context, m members.Member) error {
	m.Learner = true
	return n.reconfigure(ctx, raftpb.ConfChangeAddLearnerNode, m)
}

// RemoveMember removes a member for good. The errors are those of members.Registry.Remove, ErrNotEnoughMembers, or
// *tree.Error.
func (n *Node) RemoveMember(ctx context.Context, id members.ID) error {
	return n.reconfigure(ctx, raftpb.ConfChangeRemoveNode, members.Member{ID: id})
}

// UpdateMember replaces the peer URLs of a member. The errors are those of members.Registry.UpdatePeerURLs, or *tree.Error.
func (n *Node) UpdateMember(ctx context.Context, id members.ID, peerURLs []string) error {
	return n.reconfigure(ctx, raftpb.ConfChangeUpdateNode, members.Member{ID: id, PeerURLs: peerURLs})
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

// reconfigure has a change of the membership made, and waits until it is applied.
func (n *Node) reconfigure(ctx context.Context, kind raftpb.ConfChangeType, m members.Member) error {
	ctx, cancel := context.WithTimeout(ctx, n.core.cfg.Timeout)
	defer cancel()
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
		return apiError(ErrStopped)
	}
}
