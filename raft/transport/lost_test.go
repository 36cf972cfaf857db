package transport

import (
	"io"
	"sync/atomic"
	"testing"

	"pando/members"
)

// TestLostStream ends a member's streams: it is lost with the last that it opened, not
// with an earlier one.
func TestLostStream(t *testing.T) {
	var lost atomic.Int64
	b := newEnd(t, 2, func(c *Config) { c.Lost = func(members.ID) { lost.Add(1) } })
	// open begins a stream of member 1; the function that it gives ends it.
	open := func() (hangUp func()) {
		before := b.Heard(1)
		conn := b.openStream(t)
		b.await("the stream", func() bool { return b.Heard(1).After(before) })
		return func() {
			t.Helper()
			if err := conn.CloseWrite(); err != nil {
				t.Error(err)
			}
			// The other end closes when it is done with the stream.
			if n, err := io.Copy(io.Discard, conn); n > 0 || err != nil {
				t.Errorf("%d bytes came back: %v", n, err)
			}
		}
	}
	hangUpOld := open()
	hangUp := open()
	hangUpOld()
	if n := lost.Load(); n != 0 || b.Heard(1).IsZero() {
		t.Errorf("a member that talks counts as lost: told %d times, heard %v", n, b.Heard(1))
	}
	hangUp()
	if n := lost.Load(); n != 1 || !b.Heard(1).IsZero() {
		t.Errorf("a member that has gone was lost %d times, heard %v", n, b.Heard(1))
	}
}
