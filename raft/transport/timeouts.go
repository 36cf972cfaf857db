package transport

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// StreamTimeout is how long a stream may carry nothing, and how long a peer may take nothing, before the connection is
// given up.
const StreamTimeout = 5 * keepAlive

// A large body or message may well take longer than StreamTimeout, but each chunk of it must not.
const (
	chunkBytes = 256 << 10
	// chunkReadTimeout bounds how long the receiver waits for a chunk. It is longer than the sender's StreamTimeout, so
	// that the sender is the first to give up on a slow network.
	chunkReadTimeout = 2 * StreamTimeout
)

// readTimer is the part of a net.Conn and of an http.ResponseController that bounds reads.
type readTimer interface {
	SetReadDeadline(at time.Time) error
}

// idleReader reads a stream, and gives up when nothing arrives for StreamTimeout, or up to half of keepAlive less. It
// does not move the deadline for each read: that would cost more than many a read.
type idleReader struct {
	in    io.Reader
	timer readTimer
	moved time.Time // when the deadline was moved last
}

// Read reads what has arrived, or waits for more.
func (r *idleReader) Read(p []byte) (int, error) {
	if now := time.Now(); now.Sub(r.moved) > keepAlive/2 {
		if err := r.timer.SetReadDeadline(now.Add(StreamTimeout)); err != nil {
			return 0, err
		}
		r.moved = now
	}
	return r.in.Read(p)
}

// minRateReader reads a body, and gives up when a chunk takes longer than chunkReadTimeout. Only one snapshot is received
// at a time, so a sender that sends a byte now and then would keep out all others. The sender gives up, too, when its
// chunks are not taken: see stallConn.
type minRateReader struct {
	in     io.Reader
	timer  readTimer
	left   int           // bytes of the current chunk that have not arrived
	waited time.Duration // for the current chunk; the time between reads does not count
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

// stallConn is a connection whose writes fail when the peer does not take a chunk within StreamTimeout.
type stallConn struct{ net.Conn }

// Write writes all of p, or returns an error.
func (c *stallConn) Write(p []byte) (int, error) {
	// An old deadline would fail a nonblocking write, too.
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
