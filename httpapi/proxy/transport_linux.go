package proxy

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// limitUnacknowledged returns a function for net.Dialer.Control. It makes the kernel close a connection whose bytes are not
// acknowledged within the limit. Otherwise a small request could stay in the kernel's buffer for many minutes.
func limitUnacknowledged(limit time.Duration) func(network, address string, c syscall.RawConn) error {
	if limit <= 0 {
		return nil
	}
	return func(_, _ string, c syscall.RawConn) error {
		var optionErr error
		err := c.Control(func(fd uintptr) {
			optionErr = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit/time.Millisecond))
		})
		if err != nil {
			return err
		}
		return optionErr
	}
}
