package client

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// TestHangingSnapshot requests snapshots from members that don't respond, or that stop sending. The request must fail. A
// snapshot that arrives slowly must be saved.
func TestHangingSnapshot(t *testing.T) {
	const short, long = 500 * time.Millisecond, 30 * time.Second
	slow := servertest.StartSlowMember(t, 80*time.Millisecond, 20, servertest.Split("0123456789abcdefghij", 20)...)
	for _, test := range []struct {
		name         string
		url          string
		begin, pause time.Duration
		want         string // in the error; empty: none
	}{
		{"slow", slow, 1200 * time.Millisecond, 1200 * time.Millisecond, ""},
		{"never begins", servertest.StartSlowMember(t, time.Hour, 1), short, long, "no answer began within 500ms"},
		{"stops", servertest.StartSlowMember(t, 0, 10, "0123"), long, short, "broke off after 4 B: the member sent nothing for 500ms"},
		{"stops, without a header timeout", servertest.StartSlowMember(t, 0, 10, "0123"), 0, short, "the member sent nothing for 500ms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.snap")
			c := newTestClient(t, Config{HeaderTimeout: test.begin, BodyTimeout: test.pause}, test.url)
			_, _, err := c.SaveSnapshot(t.Context(), file, SnapshotOptions{})
			for try := 1; try < 5 && err != nil && test.want == ""; try++ { // a busy machine may exceed the time limits
				_, _, err = c.SaveSnapshot(t.Context(), file, SnapshotOptions{})
			}
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) != (test.want != "") {
				t.Errorf("the file: %v", err)
			}
		})
	}
	t.Run("the next member sends it", func(t *testing.T) {
		hanging, good := servertest.StartSlowMember(t, time.Hour, 1), servertest.StartSlowMember(t, 0, 4, "good")
		c := newTestClient(t, Config{HeaderTimeout: time.Second}, hanging, good)
		from, size, err := c.SaveSnapshot(t.Context(), filepath.Join(t.TempDir(), "x.snap"), SnapshotOptions{})
		if err != nil || size != 4 || from.String() != good {
			t.Errorf("%d bytes from %v, %v", size, from, err)
		}
	})
}

// TestDownload checks that only a complete and undamaged snapshot replaces an older file.
func TestDownload(t *testing.T) {
	damaged := errors.New("damaged")
	for _, test := range []struct {
		name  string
		body  string // the bytes that arrive; the header announces 8
		check func(string) error
		want  string // in the error; empty: none
	}{
		{"complete", "12345678", nil, ""},
		{"complete and good", "12345678", func(string) error { return nil }, ""},
		{"complete and damaged", "12345678", func(string) error { return damaged }, "damaged"},
		{"cut short", "1234", nil, "broke off after 4 B"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/octet-stream")
				w.Header().Set("Content-Length", "8")
				io.WriteString(w, test.body)
			}))
			defer s.Close()
			file := filepath.Join(t.TempDir(), "x.snap")
			if err := os.WriteFile(file, []byte("older"), 0o600); err != nil {
				t.Fatal(err)
			}
			shown := &strings.Builder{}
			_, size, err := newTestClient(t, Config{}, s.URL).SaveSnapshot(t.Context(), file, SnapshotOptions{
				Check: test.check, Progress: func(int64) io.Writer { return shown },
			})
			want := "older"
			if test.want == "" {
				want = test.body
			}
			if got, _ := os.ReadFile(file); string(got) != want {
				t.Errorf("the file holds %q, want %q", got, want)
			}
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%d bytes, %v, want %q", size, err, test.want)
			}
			if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 || shown.String() != test.body {
				t.Errorf("left behind: %v, %v; shown %q", left, err, shown)
			}
		})
	}
}

// TestSnapshotRefusals requests snapshots from servers that refuse. The error must name the server and the reason.
func TestSnapshotRefusals(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"of another server", 404, "404 page not found", "it is not Pando"},
		{"of a busy member", 503, `{"message":"another is being sent"}`, "another is being sent"},
		{"of something else", 200, "<html>", "unexpected status code 200"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				io.WriteString(w, test.body)
			}))
			defer s.Close()
			dir := t.TempDir()
			_, _, err := newTestClient(t, Config{}, s.URL).SaveSnapshot(t.Context(), filepath.Join(dir, "x.snap"), SnapshotOptions{})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), s.URL) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}
