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

// hangingMember is a member that answers no request whose path begins with path. Each such request is announced in asked.
func hangingMember(t *testing.T, path string) (url string, asked chan struct{}) {
	t.Helper()
	asked = make(chan struct{}, 100)
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, path) {
			asked <- struct{}{}
			select {
			case <-release:
			case <-r.Context().Done():
			}
			return
		}
		w.Write([]byte(`{"members":[{"id":"1","name":"m","clientURLs":["http://` + r.Host + `"]}]}`))
	}))
	t.Cleanup(func() { close(release); s.Close() })
	return s.URL, asked
}

// mustEndInterrupted runs a command, interrupts it when it has asked a member, and checks that it ends without a message.
func mustEndInterrupted(t *testing.T, want int, asked chan struct{}, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	var stdout, stderr lockedBuffer
	args = append([]string{"etcdctl", "--timeout", "1m", "--total-timeout", "1m"}, args...)
	code := Main(ctx, args, strings.NewReader(""), &stdout, &stderr, Host{})
	if code != want || stdout.Len() > 0 || stderr.Len() > 0 {
		t.Errorf("exit code %d, want %d; %q, %q", code, want, stdout.String(), stderr.String())
	}
}

// TestInterruptedWaiting: CTRL+C ends a command that waits for a member with 130 and without a message, whatever it waits for.
func TestInterruptedWaiting(t *testing.T) {
	url, asked := hangingMember(t, "/")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(`{"key":"/a","value":"v"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{
		"get /a", "ls", "set /a b", "mk /a b", "update /a b", "rm /a", "mkdir /a", "setdir /a", "updatedir /a", "rmdir /a",
		"member list", "member add m http://127.0.0.1:1", "member remove 1", "member update 1 http://127.0.0.1:1", "cluster-health",
		"tree", "export", "import " + file, "import --from URL", "endpoint status", "endpoint health",
		"lock l", "elect e v", "watch /a", "exec-watch true /a", "elect --listen e",
	} {
		endless := strings.HasPrefix(command, "watch") || strings.HasPrefix(command, "exec-watch") || strings.HasPrefix(command, "elect --listen")
		words := strings.Fields(strings.ReplaceAll(command, "URL", url))
		t.Run(command+" in the sync", func(t *testing.T) {
			mustEndInterrupted(t, exitInterrupted, asked, append([]string{"--endpoints", url}, words...)...)
		})
		t.Run(command+" in the request", func(t *testing.T) {
			want := exitInterrupted
			if endless {
				want = exitOK
			}
			mustEndInterrupted(t, want, asked, append([]string{"--no-sync", "--endpoints", url}, words...)...)
		})
	}
	t.Run("cluster-health while it asks the members", func(t *testing.T) {
		url, asked := hangingMember(t, "/health")
		mustEndInterrupted(t, exitInterrupted, asked, "--endpoints", url, "cluster-health")
	})
}

// TestInterruptedImport: an import that has begun to write says how much it has written.
func TestInterruptedImport(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
			w.Write([]byte(`{"errorCode":100,"message":"m","cause":"c","index":1}`))
			return
		}
		io.Copy(io.Discard, r.Body) // otherwise the server does not notice the end of the connection
		cancel()
		<-r.Context().Done()
	}))
	defer s.Close()
	var stdout, stderr lockedBuffer
	args := []string{"etcdctl", "--no-sync", "--endpoints", s.URL, "import"}
	code := Main(ctx, args, strings.NewReader(`{"key":"/a","value":"v"}`), &stdout, &stderr, Host{})
	if want := "interrupted; 0 of 1 were written, import again to continue\n"; code != exitInterrupted || stderr.String() != want {
		t.Errorf("exit code %d, %q, want %q", code, stderr.String(), want)
	}
}
