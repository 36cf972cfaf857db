package transport

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// direct writes to a connection without waiting for it.
type direct struct {
	raw     syscall.RawConn
	attempt func(fd uintptr) bool // try; made once, so that a write allocates nothing

	p   []byte
	n   int
	err error
}

// newDirect gives nil for a connection whose bytes are not the kernel's, as with TLS.
func newDirect(conn net.Conn) *direct {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	d := &direct{raw: raw}
	d.attempt = d.try
	return d
}

// write gives the kernel what it takes of p at once, which may be nothing. Nobody
// else may write meanwhile: it would wait for them.
func (d *direct) write(p []byte) (int, error) {
	d.p, d.n, d.err = p, 0, nil
	err := d.raw.Write(d.attempt)
	d.p = nil
	if err != nil {
		return 0, err
	}
	return d.n, d.err
}

func (d *direct) try(fd uintptr) bool {
	for {
		n, err := unix.Write(int(fd), d.p)
		switch err {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
		case nil:
			d.n = n
		default:
			d.err = err
		}
		return true // false would mean to wait
	}
}
