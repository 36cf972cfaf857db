package ctl

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInterruptedWaiting: CTRL+C ends a command that waits for a member with 130 and without a word, whatever it waits for.
func TestInterruptedWaiting(t *testing.T) {
	var path string
	asked := make(chan struct{}, 100)
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path == "" || strings.HasPrefix(r.URL.Path, path) {
			asked <- struct{}{}
			select {
			case <-release:
			case <-r.Context().Done():
			}
			return
		}
		w.Write([]byte(`{"members":[{"id":"1","name":"m","clientURLs":["http://127.0.0.1:1"]}]}`))
	}))
	defer hanging.Close()
	defer close(release)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(`{"key":"/a","value":"v"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{
		"get /a", "ls", "set /a b", "mk /a b", "update /a b", "rm /a", "mkdir /a", "setdir /a", "updatedir /a", "rmdir /a",
		"member list", "member add m http://127.0.0.1:1", "member remove 1", "member update 1 http://127.0.0.1:1", "cluster-health",
		"tree", "export", "import " + file, "import --from URL", "endpoint status", "endpoint health", "snapshot save " + file + ".snap",
		"lock l", "elect e v", "watch /a", "exec-watch true /a", "elect --listen e",
	} {
		endless := strings.HasPrefix(command, "watch") || strings.HasPrefix(command, "exec-watch") || strings.HasPrefix(command, "elect --listen")
		for _, way := range []struct {
			name, option string
			want         int
		}{
			{"in the sync", "--debug=false", exitInterrupted},
			{"in the request", "--no-sync", exitInterrupted},
		} {
			t.Run(command+" "+way.name, func(t *testing.T) {
				want := exitInterrupted
				if endless && way.option == "--no-sync" {
					want = exitOK
				}
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					<-asked
					cancel()
				}()
				var stdout, stderr lockedBuffer
				line := strings.ReplaceAll(command, "URL", hanging.URL)
				args := append([]string{"etcdctl", way.option, "--endpoints", hanging.URL, "--timeout", "1m", "--total-timeout", "1m"}, strings.Fields(line)...)
				code := Main(ctx, args, strings.NewReader(""), &stdout, &stderr, Host{})
				if code != want || stdout.Len() > 0 || stderr.Len() > 0 {
					t.Errorf("exit code %d, want %d; %q, %q", code, want, stdout.String(), stderr.String())
				}
			})
		}
	}
	t.Run("cluster-health on its way through the members", func(t *testing.T) {
		path = "/health"
		defer func() { path = "" }()
		ctx, cancel := context.WithCancel(t.Context())
		members := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(`{"members":[{"id":"1","name":"m","clientURLs":["` + hanging.URL + `"]}]}`))
		}))
		defer members.Close()
		go func() {
			<-asked
			cancel()
		}()
		var stdout, stderr lockedBuffer
		code := Main(ctx, []string{"etcdctl", "--endpoints", members.URL, "--timeout", "1m", "cluster-health"}, strings.NewReader(""), &stdout, &stderr, Host{})
		if code != exitInterrupted || stdout.Len() > 0 || stderr.Len() > 0 {
			t.Errorf("exit code %d; %q, %q", code, stdout.String(), stderr.String())
		}
	})
}

// TestInterruptedImport: an import that has begun to write says how far it came.
func TestInterruptedImport(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
			w.Write([]byte(`{"errorCode":100,"message":"m","cause":"c","index":1}`))
			return
		}
		io.Copy(io.Discard, r.Body) // else the end of the connection goes unnoticed
		cancel()
		<-r.Context().Done()
	}))
	defer s.Close()
	var stdout, stderr lockedBuffer
	args := []string{"etcdctl", "--no-sync", "--endpoints", s.URL, "import"}
	code := Main(ctx, args, strings.NewReader(`{"key":"/a","value":"v"}`), &stdout, &stderr, Host{})
	if want := "interrupted; 0 of 1 were written, import again to go on\n"; code != exitInterrupted || stderr.String() != want {
		t.Errorf("exit code %d, %q, want %q", code, stderr.String(), want)
	}
}
