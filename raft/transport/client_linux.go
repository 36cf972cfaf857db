package transport

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// bindUserTimeout has the kernel break a connection whose bytes nobody
// acknowledges: small messages would sit in its buffer for many minutes.
func bindUserTimeout(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(Silence/time.Millisecond))
	})
	if err != nil {
		return err
	}
	return failed
}
