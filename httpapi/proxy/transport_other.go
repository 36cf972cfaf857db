//go:build !linux

package proxy

import (
	"syscall"
	"time"
)

// limitUnacknowledged has no effect on this system.
func limitUnacknowledged(time.Duration) func(network, address string, c syscall.RawConn) error {
	return nil
}
