package client

import (
	"context"
	"time"
)

// The pauses of a Backoff.
const (
	minPause = 50 * time.Millisecond
	maxPause = 2 * time.Second
)

// Backoff waits between attempts. The pause doubles with each call, up to two seconds. The zero value is ready to use.
type Backoff struct{ pause time.Duration }

// Wait waits before the next attempt. It returns the error of ctx if ctx ends first.
func (b *Backoff) Wait(ctx context.Context) error {
	b.pause = min(max(2*b.pause, minPause), maxPause)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(b.pause):
		return nil
	}
}

// First reports whether Wait was never called.
func (b *Backoff) First() bool { return b.pause == 0 }
