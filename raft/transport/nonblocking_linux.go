package transport

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// nonblockingWriter writes to a connection as many bytes as the kernel takes at once. Only one goroutine at a time may use
// it. No other goroutine may write to the connection meanwhile, because write would block until that write has ended.
type nonblockingWriter struct {
	raw syscall.RawConn
	try func(fd uintptr) bool // the method value w.tryOnce, kept so that write does not allocate

	// The arguments and results of tryOnce.
	p   []byte
	n   int
	err error
}

// newNonblockingWriter returns nil for a connection that does not give access to its socket, such as a TLS connection.
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

// write returns how many bytes of p the kernel has taken, possibly zero.
func (w *nonblockingWriter) write(p []byte) (int, error) {
	w.p, w.n, w.err = p, 0, nil
	err := w.raw.Write(w.try)
	w.p = nil
	if err != nil {
		return 0, err
	}
	return w.n, w.err
}

// tryOnce is the callback of RawConn.Write. It always returns true: after false, RawConn.Write would wait until the
// connection is writable.
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
