package transport

import (
	"io"
	"sync/atomic"
	"testing"

	"pando/members"
)

// TestStreamClosed ends both streams of a member. StreamClosed must be called only after the second.
func TestStreamClosed(t *testing.T) {
	var reports atomic.Int64
	b := newEndpoint(t, 2, func(c *Config) { c.StreamClosed = func(members.ID) { reports.Add(1) } })
	// open opens a stream from member 1, and returns a function that ends it.
	open := func() (end func()) {
		before := b.LastReceived(1)
		conn := b.openStream(t)
		b.await("the stream", func() bool { return b.LastReceived(1).After(before) })
		return func() {
			t.Helper()
			if err := conn.CloseWrite(); err != nil {
				t.Error(err)
			}
			// The transport closes its end after it has read everything.
			if n, err := io.Copy(io.Discard, conn); n > 0 || err != nil {
				t.Errorf("%d bytes were sent back: %v", n, err)
			}
		}
	}
	closeFirst := open()
	closeSecond := open()
	closeFirst()
	if n := reports.Load(); n != 0 || b.LastReceived(1).IsZero() {
		t.Errorf("with one stream left: %d reports, last received %v", n, b.LastReceived(1))
	}
	closeSecond()
	if n := reports.Load(); n != 1 || !b.LastReceived(1).IsZero() {
		t.Errorf("with no stream left: %d reports, last received %v", n, b.LastReceived(1))
	}
}
