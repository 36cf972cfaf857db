package ctl

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestSnapshotSave(t *testing.T) {
	t.Run("of Pando", func(t *testing.T) {
		s := startPando(t)
		s.must(t, "set", "/_hidden/a", "v")
		file := filepath.Join(t.TempDir(), "x.snap")
		if err := os.WriteFile(file, []byte("older"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := s.must(t, "snapshot", "save", file); !strings.HasPrefix(out, "saved "+file) {
			t.Errorf("got %q", out)
		}
		if out, err := exec.Command(buildOnce.pando(t), "snapshot", "status", file).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		left, err := os.ReadDir(filepath.Dir(file))
		if err != nil || len(left) != 1 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	for _, test := range []struct {
		name, want string
		url        func(t *testing.T) string
	}{
		{"of etcd", "it is no pando", func(t *testing.T) string { return startReference(t).url }},
		{"of a busy member", "another is being sent", func(t *testing.T) string {
			url, _ := fixed(t, 503, `{"message":"another is being sent"}`)
			return url
		}},
		{"of something else", "unexpected status code 200", func(t *testing.T) string {
			url, _ := fixed(t, 200, `<html>`)
			return url
		}},
		{"of nothing", "refused", func(*testing.T) string { return "http://127.0.0.1:1" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.snap")
			_, stderr, code := run(t, "--no-sync", "--endpoints", test.url(t), "snapshot", "save", file)
			if code != exitServer || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, %q", code, stderr)
			}
			if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// TestDownload: what does not come whole leaves the file of before as it was.
func TestDownload(t *testing.T) {
	damaged := errors.New("damaged")
	for _, test := range []struct {
		name  string
		body  string // of the 8 bytes that are announced
		check func(string) error
		want  string // in the error; empty: none
	}{
		{"whole", "12345678", nil, ""},
		{"whole and good", "12345678", func(string) error { return nil }, ""},
		{"whole and damaged", "12345678", func(string) error { return damaged }, "damaged"},
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
			request, err := http.NewRequest(http.MethodGet, s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			d := &Download{File: file, Transport: testTransport, Progress: io.Discard, Check: test.check}
			size, err := d.Save(request)
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
			if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}
