package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"pando/members/servertest"
)

// startEtcd runs etcd on free ports until the test ends, and returns its URL. Without an etcd the test is skipped; in CI it fails.
func startEtcd(t *testing.T) string {
	t.Helper()
	program := servertest.RequireEtcd(t)
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	client, peer := "http://"+servertest.FreeAddr(t), "http://"+servertest.FreeAddr(t)
	cmd := exec.CommandContext(t.Context(), program, "--enable-v2", "--data-dir", filepath.Join(dir, "data"),
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended with the test's context
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(30 * time.Second); ; {
		resp, err := http.Get(client + "/v2/members/leader")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return client
			}
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("etcd does not answer: %v\n%s", err, text)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// TestEtcd runs every load against the reference.
func TestEtcd(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	url := startEtcd(t)
	for _, test := range []struct {
		args []string
		want uint64
	}{
		{[]string{"put", "--conns", "8", "--total", "300", "--val-size", "256", "--target-leader"}, 300},
		{[]string{"put", "--total", "100", "--key-space-size", "100", "--directories", "7", "--sequential-keys", "--prefix", "/with space"}, 100},
		{[]string{"get", "--conns", "8", "--total", "500", "--key-space-size", "50"}, 500},
		{[]string{"get", "--quorum", "--total", "100", "--key-space-size", "50"}, 100},
		{[]string{"list", "--total", "50", "--key-space-size", "100", "--val-size", "256"}, 50},
		{[]string{"mixed", "--conns", "4", "--total", "300", "--read-ratio", "0.5", "--key-space-size", "50"}, 300},
		{[]string{"lock", "--clients", "4", "--total", "60"}, 60},
		{[]string{"lock", "--clients", "4", "--total", "60", "--locks", "1"}, 60},
		{[]string{"watch", "--watchers", "20", "--total", "20"}, 400},
		{[]string{"watch", "--watchers", "20", "--total", "20", "--mode", "poll"}, 400},
		{[]string{"watch", "--watchers", "20", "--watched-keys", "10", "--clients", "3", "--total", "40", "--window", "0"}, 80},
	} {
		t.Run(fmt.Sprint(test.args), func(t *testing.T) {
			out, err := runBench(t.Context(), append(test.args, "--endpoints", url, "--json")...)
			var r result
			if err := errors.Join(err, json.Unmarshal([]byte(out), &r)); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if r.Succeeded != test.want || r.Failed != 0 {
				t.Errorf("%d succeeded, want %d; %d failed", r.Succeeded, test.want, r.Failed)
			}
		})
	}
}
