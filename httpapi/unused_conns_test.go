package httpapi

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestShutdownClosesUnusedConns checks that Shutdown closes connections without a request at once, and that a request under way gets
// its response.
func TestShutdownClosesUnusedConns(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	begun, finish := make(chan struct{}), make(chan struct{})
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-finish
		_, _ = io.WriteString(w, "answered")
	})}
	closeUnusedConns(s)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()

	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		return c
	}
	unused, used := []net.Conn{dial(), dial()}, dial()
	if _, err := io.WriteString(used, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-begun // the connections that were dialed before are accepted, too

	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // less than the 5 s that net/http would wait
	defer cancel()
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(ctx) }()
	for _, c := range unused {
		if text, err := io.ReadAll(c); err != nil || len(text) > 0 {
			t.Errorf("on a connection without a request: %q, %v", text, err)
		}
	}
	close(finish)
	if text, err := io.ReadAll(used); err != nil || string(text[max(0, len(text)-8):]) != "answered" {
		t.Errorf("on the connection with a request: %q, %v", text, err)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-served; err != http.ErrServerClosed {
		t.Errorf("Serve: %v", err)
	}
}
