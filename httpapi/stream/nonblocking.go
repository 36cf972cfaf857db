package stream

import "syscall"

// nonblockingWriter writes to a socket without waiting. Its zero value is ready to use, by one goroutine at a time.
type nonblockingWriter struct {
	rest []byte
	sent int
	err  error
	call func(fd uintptr) bool // the method value of try; kept because each evaluation of w.try allocates
}

// write writes what the socket takes at once, and returns the number of bytes. It writes nothing if c is not a socket.
func (w *nonblockingWriter) write(c *conn, b []byte) (int, error) {
	if len(b) == 0 || c.raw == nil {
		return 0, nil
	}
	if w.call == nil {
		w.call = w.try
	}
	w.rest, w.sent, w.err = b, 0, nil
	err := c.raw.Write(w.call)
	w.rest = nil
	if err == nil {
		err = w.err
	}
	return w.sent, err
}

// try is the callback of RawConn.Write. It returns true: after false RawConn.Write would wait until the socket takes more.
func (w *nonblockingWriter) try(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), w.rest)
		switch err {
		case nil:
			w.sent = n
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
		default:
			w.err = err
		}
		return true
	}
}
