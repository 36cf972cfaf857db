package systemd

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

// AnswerWatchdog answers the watchdog of systemd until ctx ends, if the unit has one (WatchdogSec). The answers depend on nothing but
// this goroutine: a member without a leader, with a full disk or with much to do is healthy, and a restart would not help it. So
// systemd restarts only a process that does not run at all.
func (s *Service) AnswerWatchdog(ctx context.Context) {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		s.log.Warn("the watchdog of systemd gets no answers: the environment is wrong", zap.Error(err))
	}
	if err != nil || limit == 0 || !s.Enabled() {
		return
	}
	ticks := time.NewTicker(max(limit/3, time.Millisecond))
	defer ticks.Stop()
	for {
		// An error is not logged here: send logs the first one of any message, and the watchdog must not wait for s.mu.
		_ = sendTo(s.socket, daemon.SdNotifyWatchdog)
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
	}
}
