package faulttest

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pando/members/servertest"
)

// TestSettingsTakeEffect starts servers with settings whose effect a client can see.
func TestSettingsTakeEffect(t *testing.T) {
	t.Parallel()
	t.Run("flags", flagsTakeEffect)
	t.Run("environment and file", environmentAndFileTakeEffect)
}

// flagsTakeEffect sets everything on the command line.
func flagsTakeEffect(t *testing.T) {
	wal := filepath.Join(t.TempDir(), "log")
	p := servertest.Launch(t, t.TempDir(), "--name", "m1", "--initial-cluster", "m1=http://localhost:2380", "--wal-dir", wal,
		"--max-request-bytes", "100", "--history-size", "10", "--listen-metrics-urls", "http://127.0.0.1:0")
	client := servertest.NewKeyClient(t, p.Client)
	if self := p.Get("/v2/stats/self"); !strings.Contains(self, `"name":"m1"`) {
		t.Errorf("--name: %s", self)
	}
	if logs, err := filepath.Glob(filepath.Join(wal, "*.wal")); err != nil || len(logs) == 0 {
		t.Errorf("--wal-dir: %v, %v", logs, err)
	}
	if got, err := client.Do("PUT", "/a", servertest.Form("value", strings.Repeat("x", 94))); err != nil || got.Status != http.StatusCreated {
		t.Errorf("--max-request-bytes: 100 bytes: %+v, %v", got, err)
	}
	got, err := client.Do("PUT", "/a", servertest.Form("value", strings.Repeat("x", 95)))
	if err != nil || got.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("--max-request-bytes: 101 bytes: %+v, %v", got, err)
	}
	var last uint64
	for range 20 {
		last = client.Must(t, "PUT", "/b", servertest.Form("value", "x")).Node.ModifiedIndex
	}
	if got := client.Must(t, "GET", fmt.Sprintf("/b?wait=true&waitIndex=%d", last-9), nil); got.Node.ModifiedIndex != last-9 {
		t.Errorf("--history-size: %+v", got.Node)
	}
	if got, err := client.Do("GET", fmt.Sprintf("/b?wait=true&waitIndex=%d", last-10), nil); err != nil || got.ErrorCode != 401 {
		t.Errorf("--history-size: %+v, %v", got, err)
	}
	_, rest, _ := strings.Cut(p.Stdout.String(), "metrics  ")
	metrics, _, _ := strings.Cut(rest, "\n")
	if got := statusOfGet(t, metrics+"/metrics"); got != http.StatusOK {
		t.Errorf("--listen-metrics-urls: /metrics is %d", got)
	}
	if got := statusOfGet(t, metrics+"/v2/keys"); got != http.StatusNotFound {
		t.Errorf("--listen-metrics-urls: /v2/keys is %d", got)
	}
	if got := statusOfGet(t, p.Client+"/debug/pprof/"); got != http.StatusNotFound {
		t.Errorf("without --enable-pprof its pages are %d", got)
	}
}

// statusOfGet returns the status of the response to a GET request.
func statusOfGet(t *testing.T, url string) int {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// environmentAndFileTakeEffect gives one setting in both: the environment has precedence over the file.
func environmentAndFileTakeEffect(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "pando.yml")
	text := "data-dir: " + filepath.Join(dir, "data") + "\nname: from-file\nmax-request-bytes: 50\nlisten-peer-urls: http://127.0.0.1:0\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "--config-file", file)
	p := servertest.StartCommand(t, cmd,
		"ETCD_LISTEN_CLIENT_URLS=http://127.0.0.1:0", "ETCD_ADVERTISE_CLIENT_URLS=http://127.0.0.1:1", "PANDO_MAX_REQUEST_BYTES=60")
	p.AwaitServing()
	if self := p.Get("/v2/stats/self"); !strings.Contains(self, `"name":"from-file"`) {
		t.Errorf("name: %s", self)
	}
	// A member publishes its client URLs when it serves.
	servertest.Await(t, "the advertised URL among the machines", func() bool { return p.Get("/v2/machines") == "http://127.0.0.1:1" })
	client := servertest.NewKeyClient(t, p.Client)
	for bytes, want := range map[int]int{60: http.StatusCreated, 61: http.StatusRequestEntityTooLarge} {
		key := "/" + servertest.Itoa(bytes)
		if got, err := client.Do("PUT", key, servertest.Form("value", strings.Repeat("x", bytes-6))); err != nil || got.Status != want {
			t.Errorf("a body of %d bytes: %+v, %v, want %d", bytes, got, err, want)
		}
	}
}

// TestWatchBeginsAtItsHeader polls a key while it is written. The first event must have the index after that of the
// header, so that a client which goes on from the header misses no event.
func TestWatchBeginsAtItsHeader(t *testing.T) {
	p := servertest.Launch(t, t.TempDir())
	writer, watcher := servertest.NewKeyClient(t, p.Client), servertest.NewKeyClient(t, p.Client)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := writer.Do("PUT", "/a", servertest.Form("value", "x")); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for range 500 {
		if got := watcher.Must(t, "GET", "/a?wait=true", nil); got.Node.ModifiedIndex != got.EtcdIndex+1 {
			t.Fatalf("a watch that began at %d brings %d first", got.EtcdIndex, got.Node.ModifiedIndex)
		}
	}
	close(stop)
	<-stopped
}
