package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// fixedSnapshots is a Snapshots with one file, or with an error.
type fixedSnapshots struct {
	file io.Reader
	size int64
	err  error
}

func (s fixedSnapshots) OpenSnapshot(context.Context) (io.ReadCloser, int64, error) {
	if s.err != nil {
		return nil, 0, s.err
	}
	return io.NopCloser(s.file), s.size, nil
}

// newSnapshotFixture makes a fixture that serves snapshots.
func newSnapshotFixture(t *testing.T, s fixedSnapshots) *fixture {
	t.Helper()
	return newFixture(t, func(c *MemberConfig) { c.Service.Snapshots, c.BodyTimeout = s, time.Minute })
}

// serveSnapshot serves a file as the snapshot, and returns its URL.
func serveSnapshot(t *testing.T, file io.Reader, size int) string {
	t.Helper()
	server := httptest.NewServer(newSnapshotFixture(t, fixedSnapshots{file: file, size: int64(size)}).handler)
	t.Cleanup(server.Close)
	return server.URL + "/v2/snapshot"
}

func TestSnapshot(t *testing.T) {
	t.Run("the response is the file", func(t *testing.T) {
		text := strings.Repeat("snapshot", 100_000)
		resp, err := http.Get(serveSnapshot(t, strings.NewReader(text), len(text)))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != text || resp.ContentLength != int64(len(text)) {
			t.Errorf("%d bytes of %d, announced %d: %v", len(body), len(text), resp.ContentLength, err)
		}
		if origin := resp.Header.Get("Access-Control-Allow-Origin"); origin != "" {
			t.Errorf("the scripts of %s may read it", origin)
		}
		if resp.Header.Get("X-Etcd-Cluster-Id") == "" {
			t.Error("no cluster ID")
		}
	})
	t.Run("the connection breaks after an error of the file", func(t *testing.T) {
		broken := io.MultiReader(strings.NewReader("begin"), &brokenReader{})
		resp, err := http.Get(serveSnapshot(t, broken, 100))
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if err == nil {
			t.Error("no error")
		}
	})
	t.Run("a second snapshot is refused while one is open", func(t *testing.T) {
		content, feed := io.Pipe()
		half := make([]byte, 64<<10)
		url := serveSnapshot(t, content, 2*len(half))
		go func() { _, _ = feed.Write(half) }() // after an error the test fails below
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		second, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		second.Body.Close()
		if second.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("status %d", second.StatusCode)
		}
		go func() { _, _ = feed.Write(half); _ = feed.Close() }()
		if n, err := io.Copy(io.Discard, resp.Body); n != int64(2*len(half)) || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

func TestSnapshotRefused(t *testing.T) {
	for name, test := range map[string]struct {
		method, target string
		status         int
	}{
		"another method":               {"POST", "/v2/snapshot", http.StatusMethodNotAllowed},
		"local is not a bool":          {"GET", "/v2/snapshot?local=perhaps", http.StatusBadRequest},
		"the disk is full":             {"GET", "/v2/snapshot", http.StatusInternalServerError},
		"a path below":                 {"GET", "/v2/snapshot/x", http.StatusNotFound},
		"the disk is full, local=true": {"GET", "/v2/snapshot?local=true", http.StatusInternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			f := newSnapshotFixture(t, fixedSnapshots{err: errors.New("no space left")})
			if got := f.do(test.method, test.target, ""); got.Code != test.status {
				t.Errorf("status %d, want %d: %s", got.Code, test.status, got.Body)
			}
		})
	}
}

// brokenReader is a reader that always fails.
type brokenReader struct{}

func (*brokenReader) Read([]byte) (int, error) { return 0, errors.New("disk gone") }
