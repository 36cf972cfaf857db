package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pando/httpapi/probe"
)

// The checks of readiness. The first two have etcd's names and meaning.
const (
	checkReads       = "serializable_read"
	checkQuorumReads = "linearizable_read"
	checkCheckpoints = "checkpoints"
	checkQuota       = "quota"
)

// ReadyCheckNames returns the names of the checks of ReadyChecks for a quota, which is 0 if there is none.
func ReadyCheckNames(quotaBytes int64) []string {
	names := []string{checkReads, checkQuorumReads, checkCheckpoints}
	if quotaBytes != 0 {
		names = append(names, checkQuota)
	}
	return names
}

// Reasons of checks that fail.
var (
	errCatchingUp = errors.New("the member has not applied everything that was committed before its start")
	errNoLeader   = errors.New("there is no leader")
)

// ReadyChecks returns the conditions under which the member serves clients as it should.
func (s *Service) ReadyChecks() []probe.Check {
	checks := []probe.Check{
		{Name: checkReads, Run: s.checkReads},
		{Name: checkQuorumReads, Run: s.checkQuorumReads},
		{Name: checkCheckpoints, Run: s.checkCheckpoints},
	}
	if s.cfg.QuotaBytes != 0 {
		// Other members have reached the quota, too, and reads and removals are served. So it is no reason to send no requests.
		checks = append(checks, probe.Check{Name: checkQuota, Run: s.checkQuota, Warning: true})
	}
	return checks
}

// checkReads checks that reads without a quorum are served.
func (s *Service) checkReads(context.Context) error {
	if !s.IsReady() {
		return errCatchingUp
	}
	return nil
}

// checkQuorumReads checks that reads with a quorum are served. Concurrent callers share one round of messages.
func (s *Service) checkQuorumReads(ctx context.Context) error {
	if s.cfg.Log.Leader() == 0 {
		return errNoLeader
	}
	if err := s.cfg.Log.Barrier(ctx); err != nil {
		return fmt.Errorf("a read through the quorum failed: %w", err)
	}
	return nil
}

// checkCheckpoints checks that checkpoints succeed. Without them the log grows until the disk is full and the member stops.
func (s *Service) checkCheckpoints(context.Context) error {
	if since, err := s.cfg.CheckpointFailing(); err != nil {
		return fmt.Errorf("checkpoints have failed since %s, see the log", since.UTC().Format(time.RFC3339))
	}
	return nil
}
