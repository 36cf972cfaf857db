package transport

import (
	"errors"
	"io"
	"net/http"
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
		body, frames := io.Pipe()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+streamPath, body)
		if err != nil {
			t.Fatal(err)
		}
		for header, value := range map[string]string{headerFrom: "1", headerTo: "2", headerCluster: "7", headerProtocol: protocol} {
			req.Header.Set(header, value)
		}
		ended, before := make(chan error, 1), b.Heard(1)
		go func() {
			resp, err := b.Client.Do(req)
			if err == nil {
				err = resp.Body.Close()
			}
			ended <- err
		}()
		b.await("the stream", func() bool { return b.Heard(1).After(before) })
		return func() {
			t.Helper()
			if err := errors.Join(frames.Close(), <-ended); err != nil {
				t.Error(err)
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
