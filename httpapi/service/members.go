package service

import (
	"context"
	"errors"
	"time"

	"pando/members"
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

// awaitOwnURLs waits until this member is ready, if the members do not have its client URLs yet: a client that asks a new
// member for endpoints would find none. All other members show what they have at once, even without a quorum.
func (s *Service) awaitOwnURLs(ctx context.Context) {
	if self, _ := s.cfg.Members.Get(s.cfg.Self); len(self.ClientURLs) == 0 {
		_ = s.AwaitReady(ctx) // what is there is shown all the same
	}
}

// PeerMembers returns all members, for other members that look for the cluster. It waits for nothing. The slice must not be
// changed.
func (s *Service) PeerMembers() []members.Member { return s.cfg.Members.List() }

// AddMember adds a member with the peer URLs and returns it. Its ID depends on the URLs and on now.
func (s *Service) AddMember(ctx context.Context, peerURLs []string, now time.Time) (members.Member, error) {
	m := members.NewRuntimeMember(peerURLs, now)
	return m, s.cfg.Cluster.AddMember(ctx, m)
}

// RemoveMember removes a member for ever.
func (s *Service) RemoveMember(ctx context.Context, id members.ID) error {
	return s.cfg.Cluster.RemoveMember(ctx, id)
}

// UpdateMember gives a member other peer URLs.
func (s *Service) UpdateMember(ctx context.Context, id members.ID, peerURLs []string) error {
	return s.cfg.Cluster.UpdateMember(ctx, id, peerURLs)
}

// TransferLeader returns when the member with the ID leads.
func (s *Service) TransferLeader(ctx context.Context, to members.ID) error {
	if _, known := s.cfg.Members.Get(to); !known {
		return members.ErrIDNotFound
	}
	return s.cfg.Cluster.TransferLeader(ctx, to)
}
