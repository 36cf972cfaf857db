package transport

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// setUserTimeout has the kernel break a connection when the peer does not acknowledge bytes for StreamTimeout. Without
// it, the kernel would keep small messages in its buffer for many minutes.
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
