package httpapi

import (
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
		resp := get("/long")
		defer resp.Body.Close()
		for read := 0; read < len(body); {
			n, err := io.CopyN(io.Discard, resp.Body, 2<<20)
			if err != nil {
				t.Fatal(err)
			}
			read += int(n)
			<-time.After(timeout / 5)
		}
		if err := await(); err != nil {
			t.Error(err)
		}
	})
}
