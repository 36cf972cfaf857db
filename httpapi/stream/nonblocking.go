package stream

import "syscall"

// nonblockingWriter writes to a socket without waiting. Its zero value is ready to use, by one goroutine at a time.
type nonblockingWriter struct {
	rest   []byte
	sent   int
	err    error
	unsent int // bytes in the send buffer; set by count
	// The method values of try and count. They are kept because each evaluation of w.try or w.count allocates.
	call    func(fd uintptr) bool
	counter func(fd uintptr)
}

// maxUnbuffered is the number of bytes that every socket takes at once if its send buffer is empty.
const maxUnbuffered = 8 << 10

// write writes the bytes that the socket takes at once, and returns their number. To a TLS connection it writes all bytes or none: TLS
// can't continue a write later, so write makes it only if the send buffer is empty and has room for all bytes.
func (w *nonblockingWriter) write(c *conn, b []byte) (int, error) {
	switch {
	case len(b) == 0:
		return 0, nil
	case c.tlsSocket != nil:
		if len(b) > maxUnbuffered || !w.hasEmptyBuffer(c) {
			return 0, nil
		}
		return c.Write(b)
	case c.raw == nil:
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

// hasEmptyBuffer reports whether the send buffer of the socket of a TLS connection is empty.
func (w *nonblockingWriter) hasEmptyBuffer(c *conn) bool {
	if w.counter == nil {
		w.counter = w.count
	}
	w.unsent = -1
	return c.tlsSocket.Control(w.counter) == nil && w.unsent == 0
}

// count is the callback of RawConn.Control.
func (w *nonblockingWriter) count(fd uintptr) { w.unsent = unsentBytes(fd) }

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
