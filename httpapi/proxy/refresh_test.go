package proxy

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

func TestMembersChange(t *testing.T) {
	t.Run("the list changes", func(t *testing.T) {
		one, two := newRecorder(t, respondWith("one")), newRecorder(t, respondWith("two"))
		c := newCluster(t, one.URL)
		p := startProxy(t, c, func(c *Config) { c.RefreshInterval = 5 * time.Millisecond })
		if got := do(t, http.MethodGet, p.URL+"/v2/keys/x", nil); got.body != "one" {
			t.Errorf("got %+v", got)
		}
		c.set(two.URL)
		await(t, "the new member", func() bool { return slices.Equal(p.endpoints.available(), []string{two.URL}) })
		if got := do(t, http.MethodGet, p.URL+"/v2/keys/x", nil); got.body != "two" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a failure triggers a refresh", func(t *testing.T) {
		two := newRecorder(t, respondWith("two"))
		c := newCluster(t, closedServer(t))
		p := startProxy(t, c, func(c *Config) { c.RefreshInterval = time.Hour })
		c.set(two.URL)
		if got := do(t, http.MethodGet, p.URL+"/v2/keys/x", nil); got.status != 502 {
			t.Errorf("got %+v", got)
		}
		await(t, "the new member", func() bool { return slices.Equal(p.endpoints.available(), []string{two.URL}) })
	})
	t.Run("learners get requests only without voters", func(t *testing.T) {
		c := newCluster(t, "http://a:1", "http://b:1")
		c.members[1].IsLearner = true
		p := startProxy(t, c, func(c *Config) { c.RefreshInterval = 5 * time.Millisecond })
		if got := p.endpoints.available(); !slices.Equal(got, []string{"http://a:1"}) {
			t.Errorf("got %q", got)
		}
		c.mu.Lock()
		c.members = c.members[1:]
		c.mu.Unlock()
		await(t, "the learner", func() bool { return slices.Equal(p.endpoints.available(), []string{"http://b:1"}) })
	})
}

// refresherFor returns a refresher for the peer URLs, and its endpoints.
func refresherFor(t *testing.T, c *fakeCluster, peerURLs ...string) (*refresher, *endpoints) {
	t.Helper()
	e := newEndpoints(time.Hour, time.Now)
	r, err := newRefresher(Config{
		PeerURLs: peerURLs, PeerClient: c.peer.Client(), ClusterFile: filepath.Join(t.TempDir(), "cluster"), Logger: zap.NewNop(),
	}, e)
	if err != nil {
		t.Fatal(err)
	}
	return r, e
}

func TestRefresh(t *testing.T) {
	t.Run("members without client URLs", func(t *testing.T) {
		c := newCluster(t, "http://a:1")
		c.members[0].ClientURLs = nil
		if r, _ := refresherFor(t, c, c.peer.URL); r.refresh(t.Context()) {
			t.Error("refresh reports that client URLs are known")
		}
	})
	t.Run("a member that hangs", func(t *testing.T) {
		c := newCluster(t, "http://a:1")
		r, _ := refresherFor(t, c, onConnections(t, func(net.Conn) {}), c.peer.URL)
		done := make(chan bool, 1)
		go func() { done <- r.refresh(t.Context()) }()
		select {
		case known := <-done:
			if !known {
				t.Error("the other member was not asked")
			}
		case <-time.After(20 * time.Second):
			t.Error("refresh still waits for the member that hangs")
		}
	})
	t.Run("the list of another cluster is refused", func(t *testing.T) {
		c := newCluster(t, "http://a:1")
		r, e := refresherFor(t, c, c.peer.URL)
		if !r.refresh(t.Context()) {
			t.Fatal("no member was found")
		}
		c.mu.Lock()
		c.id = "1"
		c.mu.Unlock()
		c.set("http://b:1")
		if r.refresh(t.Context()) || !slices.Equal(e.available(), []string{"http://a:1"}) {
			t.Errorf("the list of another cluster is used: %q", e.available())
		}
	})
}

func TestClusterFile(t *testing.T) {
	t.Run("has the format of the reference", func(t *testing.T) {
		c := newCluster(t, "http://a:1", "http://b:1")
		c.members[0].PeerURLs, c.members[1].PeerURLs = []string{"http://y:2"}, []string{"http://x:2"}
		p := startProxy(t, c, nil)
		want := `{"PeerURLs":["http://x:2","http://y:2"]}`
		await(t, "the file", func() bool { text, _ := os.ReadFile(p.file); return string(text) == want })
		info, err := os.Stat(p.file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		if left, _ := filepath.Glob(p.file + ".*"); len(left) > 0 {
			t.Errorf("temporary files remain: %q", left)
		}
	})
	t.Run("is used when the flags are out of date", func(t *testing.T) {
		c := newCluster(t, "http://a:1")
		file := filepath.Join(t.TempDir(), "cluster")
		if err := os.WriteFile(file, fmt.Appendf(nil, `{"PeerURLs":["%s","%s"]}`, closedServer(t), c.peer.URL), 0o600); err != nil {
			t.Fatal(err)
		}
		p := startProxy(t, c, func(cfg *Config) { cfg.ClusterFile, cfg.PeerURLs = file, []string{closedServer(t)} })
		if got := p.endpoints.available(); len(got) != 1 {
			t.Errorf("got %q", got)
		}
	})
	t.Run("is damaged", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "cluster")
		if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Config{ClusterFile: file}); err == nil ||
			!strings.Contains(err.Error(), "remove the file, and the proxy will use the peer URLs of the flags") {
			t.Errorf("got %v", err)
		}
	})
}
