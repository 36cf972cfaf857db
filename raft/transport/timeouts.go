package transport

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// StreamTimeout is the time after which a connection is closed if no byte arrives, or if the peer accepts no byte.
const StreamTimeout = 5 * keepAlive

// A large body or message may take longer than StreamTimeout. The limits are for each chunk of chunkBytes.
const (
	chunkBytes = 256 << 10
	// chunkReadTimeout limits how long the receiver waits for a chunk. It is longer than StreamTimeout, which limits the
	// sender, so that the sender is the first to time out on a slow network.
	chunkReadTimeout = 2 * StreamTimeout
)

// readTimer is implemented by net.Conn and http.ResponseController.
type readTimer interface {
	SetReadDeadline(at time.Time) error
}

// idleReader reads a stream and returns an error if nothing arrives for StreamTimeout. To save system calls it moves the
// deadline at most once in half of keepAlive, so the error may come that much earlier.
type idleReader struct {
	in      io.Reader
	timer   readTimer
	movedAt time.Time // when the deadline was moved last
}

// Read reads what has arrived, or waits for more.
func (r *idleReader) Read(p []byte) (int, error) {
	if now := time.Now(); now.Sub(r.movedAt) > keepAlive/2 {
		if err := r.timer.SetReadDeadline(now.Add(StreamTimeout)); err != nil {
			return 0, err
		}
		r.movedAt = now
	}
	return r.in.Read(p)
}

// minRateReader reads a body and returns an error if a chunk takes longer than chunkReadTimeout. Package raft receives only
// one snapshot at a time, so a sender that sends a byte now and then must not block all others. stallConn is the limit on
// the side of the sender.
type minRateReader struct {
	in     io.Reader
	timer  readTimer
	left   int           // bytes of the current chunk that have not arrived
	waited time.Duration // time spent in Read for the current chunk
}

// Read reads what has arrived, or waits for more.
func (r *minRateReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		r.left, r.waited = chunkBytes, 0
	}
	start := time.Now()
	if err := r.timer.SetReadDeadline(start.Add(chunkReadTimeout - r.waited)); err != nil {
		return 0, err
	}
	n, err := r.in.Read(p)
	r.left -= n
	r.waited += time.Since(start)
	return n, err
}

// stallConn is a connection whose writes fail if the peer does not accept a chunk within StreamTimeout.
type stallConn struct{ net.Conn }

// Write writes all of p, or returns an error.
func (c *stallConn) Write(p []byte) (int, error) {
	// Remove the deadline: after it has passed, nonblocking writes would fail, too.
	defer func() { _ = c.SetWriteDeadline(time.Time{}) }()
	written := 0
	for written < len(p) {
		if err := c.SetWriteDeadline(time.Now().Add(StreamTimeout)); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[written:min(len(p), written+chunkBytes)])
		if written += n; err != nil {
			return written, err
		}
	}
	return written, nil
}

// SyscallConn gives access to the connection's file descriptor, for nonblocking writes.
func (c *stallConn) SyscallConn() (syscall.RawConn, error) {
	inner, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return inner.SyscallConn()
}
