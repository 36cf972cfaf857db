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
)

// TestHangingSnapshot: a member that does not begin, or stops, is given up; otherwise a snapshot may take any time.
func TestHangingSnapshot(t *testing.T) {
	const short, long = 100 * time.Millisecond, 30 * time.Second
	for _, test := range []struct {
		name         string
		url          string
		begin, pause time.Duration
		want         string // in the error; empty: none
	}{
		{"slow", slowly(t, 30*time.Millisecond, 20, pieces("0123456789abcdefghij", 20)...), 400 * time.Millisecond, 400 * time.Millisecond, ""},
		{"never begins", slowly(t, time.Hour, 1), short, long, "no answer began within 100ms"},
		{"stops", slowly(t, 0, 10, "0123"), long, short, "broke off after 4 B: the member sent nothing for 100ms"},
		{"stops without a limit for the beginning", slowly(t, 0, 10, "0123"), 0, short, "the member sent nothing for 100ms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.snap")
			c := newTestClient(t, Config{HeaderTimeout: test.begin, BodyTimeout: test.pause}, test.url)
			_, _, err := c.SaveSnapshot(t.Context(), file, SnapshotOptions{})
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) != (test.want != "") {
				t.Errorf("the file: %v", err)
			}
		})
	}
	t.Run("the next member is asked", func(t *testing.T) {
		hanging, good := slowly(t, time.Hour, 1), slowly(t, 0, 4, "good")
		c := newTestClient(t, Config{HeaderTimeout: 200 * time.Millisecond}, hanging, good)
		from, size, err := c.SaveSnapshot(t.Context(), filepath.Join(t.TempDir(), "x.snap"), SnapshotOptions{})
		if err != nil || size != 4 || from.String() != good {
			t.Errorf("%d bytes from %v, %v", size, from, err)
		}
	})
}

// TestDownload: what does not arrive complete leaves an older file as it was.
func TestDownload(t *testing.T) {
	damaged := errors.New("damaged")
	for _, test := range []struct {
		name  string
		body  string // of the 8 bytes that are announced
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

// TestSnapshotRefusals: the error says why there is no snapshot.
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
