package httpapi

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/stats"
)

// TestStalledStream checks that a client of HTTP/2 that reads nothing of a response is cut off, and that a slow client and the other
// streams of the connection are not.
func TestStalledStream(t *testing.T) {
	const timeout = 2 * time.Second
	s := &Server{cfg: Config{StallTimeout: timeout, Metrics: stats.NewMetrics(stats.Build{}), Logger: zap.NewNop()}}
	body := make([]byte, 16<<20) // more than the client's window
	ended := make(chan error, 10)
	server := httptest.NewUnstartedServer(s.cutOffStalled(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/short" {
			_, _ = w.Write([]byte("short"))
			return
		}
		_, err := w.Write(body)
		ended <- err
	})))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	get := func(path string) *http.Response {
		t.Helper()
		resp, err := server.Client().Get(server.URL + path)
		if err != nil || resp.ProtoMajor != 2 {
			t.Fatal(resp, err)
		}
		return resp
	}
	await := func() error {
		t.Helper()
		select {
		case err := <-ended:
			return err
		case <-time.After(20 * time.Second):
			t.Fatal("the handler waits for a client that reads nothing")
			return nil
		}
	}
	t.Run("reads nothing", func(t *testing.T) {
		resp := get("/long")
		defer resp.Body.Close()
		if err := await(); err == nil {
			t.Error("the write succeeded")
		}
		other := get("/short")
		defer other.Body.Close()
		if text, err := io.ReadAll(other.Body); err != nil || string(text) != "short" {
			t.Errorf("another stream of the connection: %q, %v", text, err)
		}
	})
	t.Run("reads slowly", func(t *testing.T) {
		for try := 1; ; try++ {
			resp := get("/long")
			pause, err := readSlowly(resp.Body, len(body), timeout/5)
			_ = resp.Body.Close()
			if err = errors.Join(err, await()); err == nil {
				return
			}
			// A busy machine may stop the reader for longer than the timeout.
			if pause < timeout/2 || try == 5 {
				t.Fatalf("%v, when the longest time between two reads was %v", err, pause)
			}
		}
	})
}

// readSlowly reads a body in parts, with a pause after each. It returns the longest time that one part and its pause took.
func readSlowly(body io.Reader, size int, pause time.Duration) (longest time.Duration, err error) {
	for read := 0; read < size && err == nil; {
		begin := time.Now()
		var n int64
		n, err = io.CopyN(io.Discard, body, 2<<20)
		read += int(n)
		<-time.After(pause)
		longest = max(longest, time.Since(begin))
	}
	return longest, err
}
