package service

import (
	"context"
	"fmt"

	"pando/httpapi/auth"
	"pando/members"
)

// Status is the state of this member.
type Status struct {
	// Leader is 0 if the member has no leader.
	Leader members.ID
	// Learner is true while the member has no vote.
	Learner bool
	// Term, Committed and Applied are those of the log. They may be of different moments.
	Term, Committed, Applied uint64
	// DatabaseBytes are on the disk. UsedBytes are the keys and values.
	DatabaseBytes, UsedBytes int64
	// QuotaBytes is the quota of UsedBytes; 0 for none. QuotaReached is true while writes that add bytes are refused.
	QuotaBytes   int64
	QuotaReached bool
}

// Status returns the state of this member. It waits for nothing.
func (s *Service) Status() Status {
	view := s.cfg.Tree.View()
	self, _ := s.cfg.Members.Get(s.cfg.Self)
	status := Status{
		Leader: s.cfg.Log.Leader(), Learner: self.Learner, Term: s.cfg.Log.Term(), Applied: s.cfg.Log.Applied(), Committed: s.cfg.Log.Index(),
		UsedBytes: view.Bytes(), QuotaBytes: s.cfg.QuotaBytes, QuotaReached: s.quotaReached(view),
	}
	if s.cfg.DatabaseBytes != nil {
		status.DatabaseBytes = s.cfg.DatabaseBytes()
	}
	return status
}

// Revision returns the revision of the tree of this member. Until the cluster counts revisions, it is the index.
func (s *Service) Revision() uint64 { return s.cfg.Tree.View().Revision() }

// HasLeader reports whether this member has a leader.
func (s *Service) HasLeader() bool { return s.cfg.Log.Leader() != 0 }

// LatestMembers returns all members, after all changes that were acknowledged before the call. The slice must not be changed. If the leader
// does not confirm that this member has them, the error wraps ErrNotConfirmed.
func (s *Service) LatestMembers(ctx context.Context) ([]members.Member, error) {
	if err := s.cfg.Log.Barrier(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotConfirmed, err)
	}
	return s.cfg.Members.List(), nil
}

// PromoteMember gives a learner a vote. The errors are those of Cluster and of AuthorizeRoot, and *tree.Error.
func (s *Service) PromoteMember(ctx context.Context, who auth.Credentials, id members.ID) error {
	return s.changeMembers(ctx, who, operation{name: memberPromote, key: id.String()}, func() error {
		return s.cfg.Cluster.PromoteMember(ctx, id)
	})
}
