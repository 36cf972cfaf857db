package transport

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// setUserTimeout sets TCP_USER_TIMEOUT: the kernel closes a connection whose peer acknowledges no bytes for StreamTimeout.
// Without this option, the kernel keeps small messages in its buffer for many minutes.
func setUserTimeout(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(StreamTimeout/time.Millisecond))
	})
	if err != nil {
		return err
	}
	return failed
}
