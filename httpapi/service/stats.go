package service

import (
	"errors"

	"pando/stats"
)

// ErrNotLeader says that only the leader has the requested statistics.
var ErrNotLeader = errors.New("service: this member is not the leader")

// SelfStats returns the body of /v2/stats/self.
func (s *Service) SelfStats() []byte { return s.cfg.Stats.JSON() }

// LeaderStats returns the body of /v2/stats/leader, or ErrNotLeader.
func (s *Service) LeaderStats() ([]byte, error) {
	if s.cfg.Log.Leader() != s.cfg.Self {
		return nil, ErrNotLeader
	}
	return s.cfg.Leader.JSON(), nil
}

// StoreStats returns the body of /v2/stats/store.
func (s *Service) StoreStats() []byte {
	c := s.cfg.Tree.View().Counters()
	found, failed := s.reads.Counts()
	return stats.StoreSnapshot{
		GetsSuccess: found, GetsFail: failed,
		SetsSuccess: c.Set.OK, SetsFail: c.Set.Failed,
		DeleteSuccess: c.Delete.OK, DeleteFail: c.Delete.Failed,
		UpdateSuccess: c.Update.OK, UpdateFail: c.Update.Failed,
		CreateSuccess: c.Create.OK, CreateFail: c.Create.Failed,
		CompareAndSwapSuccess: c.CompareAndSwap.OK, CompareAndSwapFail: c.CompareAndSwap.Failed,
		CompareAndDeleteSuccess: c.CompareAndDelete.OK, CompareAndDeleteFail: c.CompareAndDelete.Failed,
		ExpireCount: c.Expired,
		Watchers:    uint64(s.cfg.Tree.Watchers()),
	}.JSON()
}
