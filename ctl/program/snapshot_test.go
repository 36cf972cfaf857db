package program

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pando/members/servertest"
)

// pando runs a command of the program within the test.
func pando(t testing.TB, args ...string) (stdout string, err error) {
	t.Helper()
	var out, errOut strings.Builder
	err = run(t.Context(), append([]string{"pando"}, args...), &out, &errOut)
	return out.String(), err
}

func mustPando(t testing.TB, args ...string) string {
	t.Helper()
	out, err := pando(t, args...)
	if err != nil {
		t.Fatalf("pando %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// statusOf returns the output of "pando snapshot status" for a file.
func statusOf(t testing.TB, file string) (s status) {
	t.Helper()
	if err := json.Unmarshal([]byte(mustPando(t, "snapshot", "status", file, "-w", "json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSnapshotUsage(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no file":            {[]string{"save"}, "takes one file"},
		"two files":          {[]string{"status", "a", "b"}, "takes one file"},
		"no verb of ours":    {[]string{"prune"}, "save, status, restore"},
		"nearly a verb":      {[]string{"stauts", "x"}, "did you mean pando snapshot status?"},
		"no time":            {[]string{"save", "x", "--timeout", "0s"}, "--timeout"},
		"a strange format":   {[]string{"status", "x", "-w", "xml"}, `"xml" is not one of the choices`},
		"an unknown flag":    {[]string{"save", "x", "--endpont=y"}, "--endpont"},
		"a flag of another":  {[]string{"save", "x", "--discovery=y"}, "--discovery is a flag of the server, and not of pando snapshot save"},
		"an early one":       {[]string{"save", "--discovery=y", "x"}, "--discovery is a flag of the server, and not of pando snapshot save"},
		"no URL":             {[]string{"save", filepath.Join(t.TempDir(), "x"), "--endpoint", ","}, "http://HOST:2379"},
		"a wrong membership": {[]string{"restore", "x", "--name", "n", "--initial-cluster", "m=http://127.0.0.1:1"}, "--initial-cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pando(t, append([]string{"snapshot"}, test.args...)...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q in it", err, test.want)
			}
			var stderr strings.Builder
			if code := report(&stderr, err); code != ExitUsage {
				t.Errorf("exit code %d, want %d", code, ExitUsage)
			}
			if strings.Contains(stderr.String(), "nothing was started") || !strings.Contains(stderr.String(), "pando: pando snapshot ") {
				t.Errorf("stderr %q", stderr.String())
			}
		})
	}
	t.Run("nobody answers", func(t *testing.T) {
		dir := t.TempDir()
		_, err := pando(t, "snapshot", "save", filepath.Join(dir, "x"), "--endpoint", "http://127.0.0.1:1")
		if err == nil || !strings.Contains(err.Error(), "--endpoint says where") {
			t.Errorf("got %v", err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s was left", left[0].Name())
		}
	})
	t.Run("a member that hangs", func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("local") {
				interrupt()
			}
			<-r.Context().Done()
		}))
		defer hanging.Close()
		file := filepath.Join(t.TempDir(), "x")
		address := strings.TrimPrefix(hanging.URL, "http://")
		_, err := pando(t, "snapshot", "save", file, "--endpoints", address, "--timeout", "50ms")
		if err == nil || !strings.Contains(err.Error(), "no answer began within 50ms") {
			t.Errorf("got %v", err)
		}
		var stderr strings.Builder
		err = run(ctx, []string{"pando", "snapshot", "save", file, "--endpoint", hanging.URL, "--local"}, &stderr, &stderr)
		if code := report(&stderr, err); code != ExitInterrupted || stderr.Len() > 0 {
			t.Errorf("interrupted: exit code %d, %q", code, stderr.String())
		}
	})
	t.Run("help", func(t *testing.T) {
		for _, args := range [][]string{{"snapshot"}, {"snapshot", "save", "--help"}, {"snapshot", "save", "x", "--help"}, {"snapshot",
			"restore", "-h"}} {
			if out := mustPando(t, args...); !strings.Contains(out, "USAGE") {
				t.Errorf("%v printed %q", args, out)
			}
		}
	})
}

// TestSnapshotRoundTrip saves one running member and restores it as a cluster of three.
func TestSnapshotRoundTrip(t *testing.T) {
	source := servertest.Launch(t, filepath.Join(t.TempDir(), "source"))
	client := servertest.NewKeyClient(t, source.Client)
	for i := range 50 {
		client.Must(t, "PUT", fmt.Sprintf("/dir/key%d", i), servertest.Form("value", "v"+servertest.Itoa(i)))
	}
	leased := client.Must(t, "PUT", "/leased", servertest.Form("value", "x", "ttl", "900"))
	file := filepath.Join(t.TempDir(), "snap")
	if err := os.WriteFile(file, []byte("an older one"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustPando(t, "snapshot", "save", "--endpoint", source.Client, file)
	mustPando(t, "snapshot", "save", file, "--endpoint", source.Client+"/", "--local")
	s := statusOf(t, file)
	if s.Keys != 52 || s.Index != leased.EtcdIndex || s.Events != 51 || len(s.Hash) != 64 || s.Format != 1 {
		t.Errorf("status %+v", s)
	}
	if table := mustPando(t, "snapshot", "status", file); !strings.Contains(table, s.Hash) || !strings.Contains(table, s.Cluster) {
		t.Errorf("the table is\n%s", table)
	}
	source.Kill()

	all := servertest.NewMembers(t, "a", "b", "c")
	for _, seat := range all {
		args := []string{"snapshot", "restore", file, "--data-dir", seat.DataDir, "--name", seat.Name,
			"--initial-advertise-peer-urls", seat.PeerURL(), "--initial-cluster", servertest.InitialCluster(all)}
		out := mustPando(t, args...)
		if !strings.Contains(out, "restored 52 keys") || strings.Contains(out, s.Cluster) {
			t.Errorf("restore printed %q", out)
		}
		if _, err := pando(t, args...); err == nil || !strings.Contains(err.Error(), "choose another --data-dir") {
			t.Errorf("restored twice: %v", err)
		}
	}
	running := make([]*servertest.Process, len(all))
	for i, seat := range all {
		running[i] = seat.StartPando(t) // the data says all about the cluster
	}
	for _, p := range running {
		p.AwaitServing()
	}
	servertest.AwaitPublished(t, running[0].Client, 3)
	for _, p := range running {
		c := servertest.NewKeyClient(t, p.Client)
		got := c.Must(t, "GET", "/leased?quorum=true", nil)
		if got.Node.Expiration != leased.Node.Expiration || got.Node.ModifiedIndex != leased.Node.ModifiedIndex {
			t.Errorf("the lease is %+v, was %+v", got.Node, leased.Node)
		}
		past := c.Must(t, "GET", "/dir?wait=true&recursive=true&waitIndex="+servertest.Itoa(leased.EtcdIndex-50), nil)
		if past.Node.Key != "/dir/key0" || past.Node.Value != "v0" {
			t.Errorf("the history begins with %+v", past.Node)
		}
	}
	if next := servertest.NewKeyClient(t, running[1].Client).Must(t, "PUT", "/next", servertest.Form("value",
		"1")); next.Node.ModifiedIndex != leased.EtcdIndex+1 {
		t.Errorf("the next index is %d, the last one was %d", next.Node.ModifiedIndex, leased.EtcdIndex)
	}
}

// TestForceNewClusterProcess loses two members of three for good.
func TestForceNewClusterProcess(t *testing.T) {
	all := servertest.NewMembers(t, "a", "b", "c")
	running := servertest.LaunchCluster(t, all)
	servertest.AwaitPublished(t, running[0].Client, 3)
	for i := range 30 {
		servertest.NewKeyClient(t, running[i%3].Client).Must(t, "PUT", fmt.Sprintf("/key%d", i), servertest.Form("value", "v"))
	}
	servertest.NewKeyClient(t, running[0].Client).Must(t, "GET", "/?quorum=true", nil) // now it has all of them
	running[0].Kill()
	t.Run("refused while another member runs", func(t *testing.T) {
		p := all[0].StartPando(t, "--force-new-cluster")
		if code := p.AwaitExit(); code != ExitUsage || !strings.Contains(p.Stderr.String(), "another member of the cluster is running at") {
			t.Errorf("exit code %d\n%s", code, p.Stderr)
		}
	})
	for _, p := range running {
		p.Kill()
	}
	p := all[0].StartPando(t, "--force-new-cluster")
	p.AwaitServing()
	servertest.AwaitPublished(t, p.Client, 1)
	c := servertest.NewKeyClient(t, p.Client)
	for i := range 30 {
		c.Must(t, "GET", fmt.Sprintf("/key%d?quorum=true", i), nil)
	}
	c.Must(t, "PUT", "/after", servertest.Form("value", "1"))
	p.Terminate()
	p = all[0].StartPando(t)
	p.AwaitServing()
	servertest.NewKeyClient(t, p.Client).Must(t, "PUT", "/after-that", servertest.Form("value", "1"))
	t.Run("refused without data", func(t *testing.T) {
		p := servertest.NewMembers(t, "new")[0].StartPando(t, "--force-new-cluster")
		if code := p.AwaitExit(); code != ExitUsage || !strings.Contains(p.Stderr.String(), "holds no data") {
			t.Errorf("exit code %d\n%s", code, p.Stderr)
		}
	})
}
