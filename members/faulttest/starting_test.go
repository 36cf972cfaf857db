package faulttest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pando/stats"

	"pando/members/servertest"
)

// TestServesWhileStarting sends requests to a member that waits for others, and to one that reads its data. The member must answer at
// once, and a signal must stop it cleanly.
func TestServesWhileStarting(t *testing.T) {
	t.Parallel()
	t.Run("waiting for discovery", func(t *testing.T) {
		t.Parallel()
		service := servertest.Launch(t, t.TempDir())
		all := servertest.NewMembers(t, "a", "b")
		token := servertest.NewDiscoveryURL(t, service.Client, "slow", len(all))
		first := all[0].StartPando(t, "--discovery", token)
		answersWhileStarting(t, first)
		conn, err := net.Dial("tcp", all[0].Client)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, servertest.GetRequest("/v2/keys/absent")); err != nil {
			t.Fatal(err)
		}
		second := all[1].StartPando(t, "--discovery", token)
		// The request arrived before the cluster existed, and the cluster answers it.
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || answer.StatusCode != http.StatusNotFound || answer.Header.Get("X-Etcd-Cluster-Id") == "" {
			t.Errorf("a request that was held got %+v, %v", answer, err)
		}
		first.Terminate()
		endsWith(t, first, 0, "shutting down")
		second.Terminate()
	})
	t.Run("reading its data", func(t *testing.T) {
		t.Parallel()
		s := servertest.NewMembers(t, "a")[0]
		initial := servertest.InitialCluster([]servertest.Member{s})
		p := s.StartPando(t, "--initial-cluster", initial)
		p.AwaitServing()
		p.Terminate()
		// Reading a pipe without a writer never ends.
		state := filepath.Join(s.DataDir, "state.db")
		if err := os.Remove(state); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(state, 0o600); err != nil {
			t.Fatal(err)
		}
		p = s.StartPando(t, "--initial-cluster", initial, "--election-timeout", "500", "--enable-pprof")
		answersWhileStarting(t, p)
		answer, body, err := getOnce(p.Client + "/v2/keys/a")
		if err != nil || answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, `"cause":"this member is starting`) {
			t.Errorf("a key: %v, %s", err, body)
		}
		if took := p.Terminate(); took > stopLimit {
			t.Errorf("the stop took %v", took)
		}
		endsWith(t, p, 0, "stopped before the server was ready")
	})
	t.Run("a proxy that looks for its cluster", func(t *testing.T) {
		t.Parallel()
		s := servertest.NewMembers(t, "front")[0]
		p := s.StartPando(t, "--proxy", "on", "--discovery", "http://127.0.0.1:1/v2/keys/none")
		answersWhileStarting(t, p)
		p.Terminate()
		endsWith(t, p, 0, "stopped before the server was ready")
	})
}

// answersWhileStarting sends the requests that need no data.
func answersWhileStarting(t *testing.T, p *servertest.Process) {
	t.Helper()
	servertest.Await(t, "an answer", func() bool {
		answer, _, err := getOnce(p.Client + "/health")
		return err == nil && answer.StatusCode == http.StatusServiceUnavailable
	})
	for path, want := range map[string]string{
		"/health":  `{"health":"false"}`,
		"/version": `"etcdserver":"` + stats.APILevel + `"`,
		"/metrics": "pando_build_info",
	} {
		if _, body, err := getOnce(p.Client + path); err != nil || !strings.Contains(body, want) {
			t.Errorf("%s: %v, %.200s", path, err, body)
		}
	}
}

// getOnce reads a URL on a connection of its own.
func getOnce(url string) (*http.Response, string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: servertest.Timeout}
	answer, err := client.Get(url)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer, string(body), err
}
