package service

import (
	"context"
	"time"

	"pando/tree"
)

// arrivalKey is the context key of the time at which the request arrived.
type arrivalKey struct{}

// WithArrival returns a context for a request that arrived earlier and has waited since. The timeout of AwaitReady then begins at
// the arrival.
func WithArrival(ctx context.Context, arrived time.Time) context.Context {
	return context.WithValue(ctx, arrivalKey{}, arrived)
}

// Arrival returns the time of WithArrival, or the current time if the context has none.
func Arrival(ctx context.Context) time.Time {
	if t, ok := ctx.Value(arrivalKey{}).(time.Time); ok {
		return t
	}
	return time.Now()
}

// AwaitReady waits until the member has applied everything that was committed before its start. Callers must call it before an
// operation on keys. It returns a *tree.Error after Config.ReadyTimeout, when ctx is done, or after Stop.
func (s *Service) AwaitReady(ctx context.Context) error {
	if s.IsReady() {
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

// IsReady reports whether AwaitReady returns nil at once.
func (s *Service) IsReady() bool {
	select {
	case <-s.cfg.Ready:
		return true
	default:
		return false
	}
}

// Health reports whether writes succeed on this member, and will still succeed later.
type Health struct {
	OK bool
	// Reason is why OK is false, or which writes fail although OK is true. It is empty if there is no leader or the member is not ready,
	// because the reference gives no reason either.
	Reason string
}

// Health returns the health of the member: it must be ready and have a leader, and its checkpoints must succeed. The quota is no reason for
// bad health.
func (s *Service) Health() Health {
	if s.cfg.Log.Leader() == 0 || !s.IsReady() {
		return Health{}
	}
	if err := s.checkCheckpoints(context.Background()); err != nil {
		return Health{Reason: err.Error()}
	}
	if err := s.checkQuota(context.Background()); err != nil {
		return Health{OK: true, Reason: err.Error()}
	}
	return Health{OK: true}
}
