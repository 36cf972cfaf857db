//go:build !linux

package proxy

import (
	"syscall"
	"time"
)

// breakAfter leaves it to the system when it breaks a connection.
func breakAfter(time.Duration) func(network, address string, c syscall.RawConn) error { return nil }
