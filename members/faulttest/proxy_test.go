package faulttest

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// launchProxy starts a proxy before the members.
func launchProxy(t testing.TB, dataDir string, all []servertest.Member, flags ...string) *servertest.Process {
	t.Helper()
	p := servertest.StartCommand(t, exec.Command(os.Args[0], append([]string{
		"--name", "front", "--data-dir", dataDir, "--listen-client-urls", "http://127.0.0.1:0",
		"--initial-cluster", servertest.InitialCluster(all), "--proxy", "on", "--proxy-refresh-interval", "200",
	}, flags...)...))
	p.AwaitServing()
	awaitEndpoints(t, p, len(all))
	return p
}

// awaitEndpoints waits until a proxy uses that many client URLs.
func awaitEndpoints(t testing.TB, proxy *servertest.Process, count int) {
	t.Helper()
	servertest.Await(t, "the proxy to find the members", func() bool {
		return strings.Count(proxy.Get("/v2/config/local/proxy"), "http://") == count
	})
}

func TestProxyProcess(t *testing.T) {
	t.Parallel()
	all := servertest.NewMembers(t, "a", "b", "c")
	running := servertest.LaunchCluster(t, all)
	dataDir := filepath.Join(t.TempDir(), "front")
	front := launchProxy(t, dataDir, all)
	client := servertest.NewKeyClient(t, front.Client)

	t.Run("reads its own writes", func(t *testing.T) {
		for i := range 50 {
			client.Must(t, http.MethodPut, "/own", servertest.Form("value", servertest.Itoa(i)))
			if got := client.Must(t, http.MethodGet, "/own", nil); got.Node.Value != servertest.Itoa(i) {
				t.Fatalf("wrote %d, read %s", i, got.Node.Value)
			}
		}
	})
	t.Run("watches", func(t *testing.T) { watchesThrough(t, front) })
	t.Run("a member dies", func(t *testing.T) {
		client.Must(t, http.MethodPut, "/count", servertest.Form("value", "0"))
		running[1].Kill()
		for i := range 200 {
			client.Must(t, http.MethodGet, "/count", nil) // reads never fail
			// A write may fail if it was in flight to the member that was killed.
			if _, err := client.Do(http.MethodPut, "/count", servertest.Form("value", servertest.Itoa(i))); err != nil {
				t.Logf("write %d: %v", i, err)
			}
		}
		client.Must(t, http.MethodPut, "/count", servertest.Form("value", "end"))
	})
	t.Run("read-only", func(t *testing.T) { readOnlyProxy(t, all) })
	t.Run("ends in time with a watch under way", func(t *testing.T) { endsWithWatch(t, front) })
	t.Run("a member's data make a member", func(t *testing.T) {
		running[2].Terminate()
		p := all[2].StartPando(t, "--proxy", "on")
		p.AwaitServing()
		if text := p.Stderr.String(); !strings.Contains(text, "--proxy has no effect: the data directory holds a member's data") {
			t.Errorf("it said\n%s", text)
		}
		servertest.AwaitReplicated(t, p.Client, running[0].Client)
	})
}

// watchesThrough watches a key through the proxy and writes it.
func watchesThrough(t *testing.T, front *servertest.Process) {
	client := servertest.NewKeyClient(t, front.Client)
	index := client.Must(t, http.MethodPut, "/watched", servertest.Form("value", "1")).Node.ModifiedIndex
	seen := make(chan *servertest.KeyAnswer, 1)
	go func() {
		answer, err := servertest.NewKeyClient(t, front.Client).Do(http.MethodGet, "/watched?wait=true&waitIndex="+servertest.Itoa(index+1), nil)
		if err != nil {
			t.Error(err)
		}
		seen <- answer
	}()
	client.Must(t, http.MethodPut, "/watched", servertest.Form("value", "2"))
	select {
	case answer := <-seen:
		if answer == nil || answer.Node == nil || answer.Node.Value != "2" {
			t.Errorf("got %+v", answer)
		}
	case <-time.After(servertest.Timeout):
		t.Error("the watch saw nothing")
	}
}

// readOnlyProxy checks that a read-only proxy passes on reads and refuses writes.
func readOnlyProxy(t *testing.T, all []servertest.Member) {
	readonly := launchProxy(t, filepath.Join(t.TempDir(), "readonly"), all, "--proxy", "readonly")
	request, err := http.NewRequest(http.MethodPut, readonly.Client+"/v2/keys/count", strings.NewReader("value=1"))
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
	client := servertest.NewKeyClient(t, readonly.Client)
	servertest.Await(t, "the last write at the member of the proxy", func() bool {
		return client.Must(t, http.MethodGet, "/count", nil).Node.Value == "end"
	})
}

// endsWithWatch stops the proxy while a client watches a key that does not change.
func endsWithWatch(t *testing.T, front *servertest.Process) {
	response, err := http.Get(front.Client + "/v2/keys/never?wait=true")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	ended := make(chan string, 1)
	go func() {
		// The watch may end with an error. Only the text before that matters.
		text, _ := io.ReadAll(response.Body)
		ended <- string(text)
	}()
	select {
	case text := <-ended:
		t.Fatalf("the watch did not wait: %s %q", response.Status, text)
	case <-time.After(100 * time.Millisecond):
	}
	if took := front.Terminate(); took > stopLimit || front.Err != nil {
		t.Errorf("it took %v, %v", took, front.Err)
	}
	if text := <-ended; strings.TrimSpace(text) != "" {
		t.Errorf("the watch got %q", text)
	}
}
