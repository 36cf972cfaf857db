package client

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// newTestClient returns a client that does not use the proxies of the environment.
func newTestClient(t *testing.T, config Config, endpoints ...string) *Client {
	t.Helper()
	urls, err := ParseEndpoints(endpoints...)
	if err != nil {
		t.Fatal(err)
	}
	config.Endpoints = urls
	c := New(config)
	c.transport.Proxy = nil
	t.Cleanup(c.transport.CloseIdleConnections)
	return c
}

// TestSlowReaders reads a body with pauses that are longer than the limit. The pauses must not count.
func TestSlowReaders(t *testing.T) {
	const limit = 300 * time.Millisecond
	d := startDeadline(t.Context(), limit, errors.New("no header"))
	defer d.stop()
	body := d.limitBody(io.NopCloser(strings.NewReader("abc")), limit, errors.New("stalled"))
	for _, want := range []string{"a", "b", "c"} {
		piece := make([]byte, 1)
		if _, err := body.Read(piece); err != nil || string(piece) != want {
			t.Fatalf("got %q, %v", piece, err)
		}
		<-time.After(2 * limit)
	}
	if err := context.Cause(d.ctx); err != nil {
		t.Errorf("the exchange ended: %v", err)
	}
}

// TestStalledResponse requests a key from a member that stops in the middle of the body. The request must fail.
func TestStalledResponse(t *testing.T) {
	stalled := servertest.StartSlowMember(t, 0, 100, `{"action":`)
	c := newTestClient(t, Config{BodyTimeout: 50 * time.Millisecond}, stalled)
	_, err := c.Get(t.Context(), "/", GetOptions{})
	if err == nil || !strings.Contains(err.Error(), stalled+" sent nothing for 50ms in the middle of its answer") {
		t.Errorf("got %v", err)
	}
}
