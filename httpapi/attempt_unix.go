//go:build unix

package httpapi

import "syscall"

// attempt writes to a connection what it takes at once, and waits for nothing. Its
// zero value is ready; it is one goroutine's.
type attempt struct {
	rest []byte
	sent int
	err  error
	once func(fd uintptr) bool // try; made once, for it lives on the heap
}

// write returns how many bytes the connection has taken. A connection that is more
// than a socket takes none.
func (a *attempt) write(c *conn, b []byte) (int, error) {
	if len(b) == 0 || c.raw == nil {
		return 0, nil
	}
	if a.once == nil {
		a.once = a.try
	}
	a.rest, a.sent, a.err = b, 0, nil
	err := c.raw.Write(a.once)
	a.rest = nil
	if err == nil {
		err = a.err
	}
	return a.sent, err
}

func (a *attempt) try(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), a.rest)
		switch err {
		case nil:
			a.sent = n
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
		default:
			a.err = err
		}
		return true
	}
}
