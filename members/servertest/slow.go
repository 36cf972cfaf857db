package servertest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// StartSlowMember starts an HTTP server that pauses before the header of its response and before each piece of the body, and
// returns its URL. If the pieces are shorter than size, the server hangs after the last piece.
func StartSlowMember(t testing.TB, pause time.Duration, size int, pieces ...string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(pause):
		case <-r.Context().Done():
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", fmt.Sprint(size))
		for _, piece := range pieces {
			w.(http.Flusher).Flush()
			<-time.After(pause)
			io.WriteString(w, piece)
		}
		if size > len(strings.Join(pieces, "")) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// Split splits a text into n parts of about the same length.
func Split(text string, n int) []string {
	var all []string
	for i := range n {
		all = append(all, text[i*len(text)/n:(i+1)*len(text)/n])
	}
	return all
}
