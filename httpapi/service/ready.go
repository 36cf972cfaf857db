package service

import (
	"context"
	"time"

	"pando/tree"
)

// arrivalKey is the key of the time at which a request arrived in the context of the request.
type arrivalKey struct{}

// WithArrival returns a context for a request that arrived earlier and has waited since. AwaitReady counts its timeout from
// that time on.
func WithArrival(ctx context.Context, arrived time.Time) context.Context {
	return context.WithValue(ctx, arrivalKey{}, arrived)
}

// Arrival returns the time that WithArrival was given, or else now.
func Arrival(ctx context.Context) time.Time {
	if t, ok := ctx.Value(arrivalKey{}).(time.Time); ok {
		return t
	}
	return time.Now()
}

// AwaitReady returns nil when the member has applied everything that was committed before its start. Operations on keys must
// wait for it. It returns a *tree.Error when that takes longer than Config.ReadyTimeout, when ctx is done, or after Stop.
func (s *Service) AwaitReady(ctx context.Context) error {
	if s.isReady() {
		return nil
	}
	timer := time.NewTimer(s.cfg.ReadyTimeout - time.Since(Arrival(ctx)))
	defer timer.Stop()
	select {
	case <-s.cfg.Ready:
		return nil
	case <-s.stopped:
		return tree.NewError(tree.CodeRaftInternal, tree.CauseStopped)
	case <-timer.C:
	case <-ctx.Done():
	}
	return tree.NewError(tree.CodeRaftInternal, tree.CauseTimedOut)
}

func (s *Service) isReady() bool {
	select {
	case <-s.cfg.Ready:
		return true
	default:
		return false
	}
}

// Health says whether writes can succeed on this member, and will go on to.
type Health struct {
	OK bool
	// Reason says why not. It is empty for the causes that the reference has, too: no leader, or a member that is not ready.
	Reason string
}

// Health returns the health of the member: it must be ready and have a leader, and its checkpoints must succeed.
func (s *Service) Health() Health {
	if s.cfg.Log.Leader() == 0 || !s.isReady() {
		return Health{}
	}
	if since, err := s.cfg.CheckpointFailing(); err != nil {
		return Health{Reason: "checkpoints fail since " + since.UTC().Format(time.RFC3339) + ", the log says why"}
	}
	return Health{OK: true}
}
