package transport

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// nonblockingWriter writes to a connection what the kernel takes at once. One goroutine at a time may use it, and no
// other may write to the connection meanwhile: write would wait for that.
type nonblockingWriter struct {
	raw syscall.RawConn
	try func(fd uintptr) bool // the method tryOnce, bound once: a write allocates nothing

	// The arguments and results of tryOnce.
	p   []byte
	n   int
	err error
}

// newNonblockingWriter returns nil for a connection whose bytes are not written to the kernel as they are, as with TLS.
func newNonblockingWriter(conn net.Conn) *nonblockingWriter {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	w := &nonblockingWriter{raw: raw}
	w.try = w.tryOnce
	return w
}

// write returns how many bytes of p the kernel has taken. That may be none.
func (w *nonblockingWriter) write(p []byte) (int, error) {
	w.p, w.n, w.err = p, 0, nil
	err := w.raw.Write(w.try)
	w.p = nil
	if err != nil {
		return 0, err
	}
	return w.n, w.err
}

// tryOnce is called by RawConn.Write, which waits for the connection to become writable if it returns false.
func (w *nonblockingWriter) tryOnce(fd uintptr) bool {
	for {
		n, err := unix.Write(int(fd), w.p)
		switch err {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
		case nil:
			w.n = n
		default:
			w.err = err
		}
		return true
	}
}
