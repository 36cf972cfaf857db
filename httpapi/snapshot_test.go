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

// fixedSnapshots gives a file of size bytes from a reader.
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

func TestSnapshot(t *testing.T) {
	text := strings.Repeat("snapshot", 100_000)
	fixture := func(s fixedSnapshots) *fixture {
		return newFixture(t, func(c *Config) { c.Snapshots, c.BodyTimeout = s, time.Minute })
	}
	t.Run("is the file", func(t *testing.T) {
		server := httptest.NewServer(fixture(fixedSnapshots{file: strings.NewReader(text), size: int64(len(text))}).Server.Client())
		defer server.Close()
		resp, err := http.Get(server.URL + "/v2/snapshot")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != text || resp.ContentLength != int64(len(text)) {
			t.Errorf("%d bytes of %d, announced %d: %v", len(body), len(text), resp.ContentLength, err)
		}
		if origin := resp.Header.Get("Access-Control-Allow-Origin"); origin != "" {
			t.Errorf("scripts of %s may read it", origin)
		}
		if resp.Header.Get("X-Etcd-Cluster-Id") == "" {
			t.Error("no cluster ID")
		}
	})
	t.Run("a file that breaks off is not taken for whole", func(t *testing.T) {
		broken := io.MultiReader(strings.NewReader("begin"), &brokenReader{})
		server := httptest.NewServer(fixture(fixedSnapshots{file: broken, size: 100}).Server.Client())
		defer server.Close()
		resp, err := http.Get(server.URL + "/v2/snapshot")
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if err == nil {
			t.Error("no error")
		}
	})
	t.Run("one at a time", func(t *testing.T) {
		content, feed := io.Pipe()
		half := make([]byte, 64<<10)
		server := httptest.NewServer(fixture(fixedSnapshots{file: content, size: int64(2 * len(half))}).Server.Client())
		defer server.Close()
		go func() { _, _ = feed.Write(half) }() // the test ends with an error otherwise
		resp, err := http.Get(server.URL + "/v2/snapshot")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		second, err := http.Get(server.URL + "/v2/snapshot")
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
	for name, test := range map[string]struct {
		method, target string
		status         int
	}{
		"another method":    {"POST", "/v2/snapshot", http.StatusMethodNotAllowed},
		"local is no word":  {"GET", "/v2/snapshot?local=perhaps", http.StatusBadRequest},
		"the disk is full":  {"GET", "/v2/snapshot", http.StatusInternalServerError},
		"nothing below it":  {"GET", "/v2/snapshot/x", http.StatusNotFound},
		"the disk, locally": {"GET", "/v2/snapshot?local=true", http.StatusInternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			f := fixture(fixedSnapshots{err: errors.New("no space left")})
			if got := f.do(test.method, test.target, ""); got.Code != test.status {
				t.Errorf("status %d, want %d: %s", got.Code, test.status, got.Body)
			}
		})
	}
}

// brokenReader fails.
type brokenReader struct{}

func (*brokenReader) Read([]byte) (int, error) { return 0, errors.New("disk gone") }
