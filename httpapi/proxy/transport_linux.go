package proxy

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// breakAfter has the kernel break a connection whose bytes nobody acknowledges
// for so long: a small request would sit in its buffer for many minutes.
func breakAfter(limit time.Duration) func(network, address string, c syscall.RawConn) error {
	if limit <= 0 {
		return nil
	}
	return func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit/time.Millisecond))
		})
		if err != nil {
			return err
		}
		return failed
	}
}
