package main

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// launchProxy starts a proxy before the members.
func launchProxy(t testing.TB, dataDir string, all []seat, flags ...string) *process {
	t.Helper()
	p := start(t, dataDir, exec.Command(os.Args[0], append([]string{
		"--name", "front", "--data-dir", dataDir, "--listen-client-urls", "http://127.0.0.1:0",
		"--initial-cluster", initialClusterOf(all), "--proxy", "on", "--proxy-refresh-interval", "200",
	}, flags...)...))
	p.awaitServing()
	await(t, "the proxy to find the members", func() bool { return strings.Count(p.get("/v2/config/local/proxy"), "http://") == len(all) })
	return p
}

func TestProxyProcess(t *testing.T) {
	all := seats(t, "a", "b", "c")
	running := launchCluster(t, all)
	dataDir := filepath.Join(t.TempDir(), "front")
	front := launchProxy(t, dataDir, all)
	client := newKeyClient(t, front.client)

	t.Run("reads its own writes", func(t *testing.T) {
		for i := range 50 {
			client.must(t, http.MethodPut, "/own", form("value", itoa(i)))
			if got := client.must(t, http.MethodGet, "/own", nil); got.Node.Value != itoa(i) {
				t.Fatalf("wrote %d, read %s", i, got.Node.Value)
			}
		}
	})
	t.Run("watches", func(t *testing.T) { watchesThrough(t, front) })
	t.Run("a member dies", func(t *testing.T) {
		client.must(t, http.MethodPut, "/count", form("value", "0"))
		running[1].kill()
		for i := range 200 {
			client.must(t, http.MethodGet, "/count", nil) // reads never fail
			// A write may, when it was under way to the member that died.
			if _, err := client.do(http.MethodPut, "/count", form("value", itoa(i))); err != nil {
				t.Logf("write %d: %v", i, err)
			}
		}
		client.must(t, http.MethodPut, "/count", form("value", "end"))
	})
	t.Run("read-only", func(t *testing.T) { readOnlyProxy(t, all) })
	t.Run("ends in time with a watch under way", func(t *testing.T) { endsWithWatch(t, front) })
	t.Run("a member's data make a member", func(t *testing.T) {
		running[2].terminate()
		p := all[2].spawn(t, "--proxy", "on")
		p.awaitServing()
		if text := p.stderr.String(); !strings.Contains(text, "--proxy has no effect: the data directory holds a member's data") {
			t.Errorf("it said\n%s", text)
		}
		sees(t, p.client, running[0].client)
	})
}

// watchesThrough waits at the proxy for a key, and writes it.
func watchesThrough(t *testing.T, front *process) {
	client := newKeyClient(t, front.client)
	index := client.must(t, http.MethodPut, "/watched", form("value", "1")).Node.ModifiedIndex
	seen := make(chan *keyAnswer, 1)
	go func() {
		answer, err := newKeyClient(t, front.client).do(http.MethodGet, "/watched?wait=true&waitIndex="+itoa(index+1), nil)
		if err != nil {
			t.Error(err)
		}
		seen <- answer
	}()
	client.must(t, http.MethodPut, "/watched", form("value", "2"))
	select {
	case answer := <-seen:
		if answer == nil || answer.Node == nil || answer.Node.Value != "2" {
			t.Errorf("got %+v", answer)
		}
	case <-time.After(patience):
		t.Error("the watch saw nothing")
	}
}

// readOnlyProxy wants a proxy of its kind to pass reads on, and no writes.
func readOnlyProxy(t *testing.T, all []seat) {
	readonly := launchProxy(t, filepath.Join(t.TempDir(), "readonly"), all, "--proxy", "readonly")
	request, err := http.NewRequest(http.MethodPut, readonly.client+"/v2/keys/count", strings.NewReader("value=1"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusNotImplemented {
		t.Errorf("a write is answered %s", answer.Status)
	}
	if got := newKeyClient(t, readonly.client).must(t, http.MethodGet, "/count", nil); got.Node.Value != "end" {
		t.Errorf("read %+v", got.Node)
	}
}

// endsWithWatch ends the proxy while a client waits for a key that nobody writes.
func endsWithWatch(t *testing.T, front *process) {
	response, err := http.Get(front.client + "/v2/keys/never?wait=true")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	ended := make(chan string, 1)
	go func() {
		// However it ends, what came before that counts.
		text, _ := io.ReadAll(response.Body)
		ended <- string(text)
	}()
	select {
	case text := <-ended:
		t.Fatalf("the watch did not wait: %s %q", response.Status, text)
	case <-time.After(100 * time.Millisecond):
	}
	if took := front.terminate(); took > 5*time.Second || front.err != nil {
		t.Errorf("it took %v, %v", took, front.err)
	}
	if text := <-ended; strings.TrimSpace(text) != "" {
		t.Errorf("the watch got %q", text)
	}
}
