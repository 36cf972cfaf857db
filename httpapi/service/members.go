package service

import (
	"context"
	"errors"
	"time"

	"pando/httpapi/auth"
	"pando/members"
	"pando/tree"
)

// ErrNoLeader says that the cluster has no leader now.
var ErrNoLeader = errors.New("service: the cluster has no leader")

// Members returns all members. The slice must not be changed.
func (s *Service) Members(ctx context.Context) []members.Member {
	s.awaitOwnURLs(ctx)
	return s.cfg.Members.List()
}

// ClientURLs returns the client URLs of all members. The slice must not be changed.
func (s *Service) ClientURLs(ctx context.Context) []string {
	s.awaitOwnURLs(ctx)
	return s.cfg.Members.ClientURLs()
}

// LeaderMember returns the member that leads, or ErrNoLeader.
func (s *Service) LeaderMember(ctx context.Context) (members.Member, error) {
	s.awaitOwnURLs(ctx)
	m, ok := s.cfg.Members.Get(s.cfg.Log.Leader())
	if !ok {
		return m, ErrNoLeader
	}
	return m, nil
}

// awaitOwnURLs waits until this member is ready, if the list of members does not contain its client URLs yet. Otherwise a client
// that asks a new member for endpoints would get none. A member whose URLs are in the list does not wait, even without a quorum.
func (s *Service) awaitOwnURLs(ctx context.Context) {
	if self, _ := s.cfg.Members.Get(s.cfg.Self); len(self.ClientURLs) == 0 {
		_ = s.AwaitReady(ctx) // after an error the caller returns the list as it is
	}
}

// PeerMembers returns all members, for starting members and proxies that look for the cluster. It waits for nothing. The slice must
// not be changed.
func (s *Service) PeerMembers() []members.Member { return s.cfg.Members.List() }

// The following changes of the membership need the role root. Their errors are those of Cluster and of AuthorizeRoot, and *tree.Error.

// AddMember adds a member with the peer URLs and returns it. Its ID depends on the URLs and on now.
func (s *Service) AddMember(ctx context.Context, who auth.Credentials, peerURLs []string, now time.Time) (members.Member, error) {
	m := members.NewRuntimeMember(peerURLs, now)
	return m, s.changeMembers(ctx, who, operation{name: MemberAdd, key: m.ID.String()}, func() error {
		return s.cfg.Cluster.AddMember(ctx, m)
	})
}

// ErrLearnersNotUpgraded is the error of AddLearner while the feature level of the cluster is too low for it.
var ErrLearnersNotUpgraded = errors.New("learners can't wait for their promotion yet: not all members of the cluster have been upgraded; " +
	"nothing was done")

// AddLearner adds a member like AddMember. It has no vote before PromoteMember. There may be one such member.
func (s *Service) AddLearner(ctx context.Context, who auth.Credentials, peerURLs []string, now time.Time) (members.Member, error) {
	m := members.NewRuntimeMember(peerURLs, now)
	m.ManualPromotion = true
	return m, s.changeMembers(ctx, who, operation{name: MemberAdd, key: m.ID.String()}, func() error {
		if err := s.awaitLevel(ctx, tree.KVLevel, ErrLearnersNotUpgraded); err != nil {
			return err
		}
		return s.cfg.Cluster.AddMember(ctx, m)
	})
}

// IsLearner reports whether this member is a learner that waits for PromoteMember. Learners that get their vote by themselves serve all
// requests.
func (s *Service) IsLearner() bool {
	self, _ := s.cfg.Members.Get(s.cfg.Self)
	return self.ManualPromotion
}

// RemoveMember removes a member for ever.
func (s *Service) RemoveMember(ctx context.Context, who auth.Credentials, id members.ID) error {
	return s.changeMembers(ctx, who, operation{name: MemberRemove, key: id.String()}, func() error {
		return s.cfg.Cluster.RemoveMember(ctx, id)
	})
}

// UpdateMember replaces the peer URLs of a member.
func (s *Service) UpdateMember(ctx context.Context, who auth.Credentials, id members.ID, peerURLs []string) error {
	return s.changeMembers(ctx, who, operation{name: MemberUpdate, key: id.String()}, func() error {
		return s.cfg.Cluster.UpdateMember(ctx, id, peerURLs)
	})
}

// TransferLeader transfers the leadership to the member with the ID. It returns when that member leads.
func (s *Service) TransferLeader(ctx context.Context, who auth.Credentials, to members.ID) error {
	return s.changeMembers(ctx, who, operation{name: LeaderTransfer, key: to.String()}, func() error {
		if _, known := s.cfg.Members.Get(to); !known {
			return members.ErrIDNotFound
		}
		return s.cfg.Cluster.TransferLeader(ctx, to)
	})
}
