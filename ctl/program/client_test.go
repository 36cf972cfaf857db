package program

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"pando/members/servertest"
)

func TestClientArgs(t *testing.T) {
	for _, test := range []struct {
		given, want string
	}{
		{"pando ctl get /a", "pando ctl|get|/a"},
		{"/usr/bin/pando ctl", "pando ctl"},
		{"/usr/local/bin/etcdctl get /a", "etcdctl|get|/a"},
		{"pandoctl ctl", "pandoctl|ctl"},
		{"pando --data-dir ctl", ""},
		{"pando", ""},
		{"etcd ctl", "pando ctl"},
	} {
		t.Run(test.given, func(t *testing.T) {
			got, is := clientArgs(strings.Fields(test.given))
			var want []string
			if test.want != "" {
				want = strings.Split(test.want, "|")
			}
			if is != (want != nil) || !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestClientVerb(t *testing.T) {
	var out, errOut strings.Builder
	err := run(t.Context(), []string{"pando", "ctl", "set", "--nope", "/a"}, &out, &errOut)
	if code := report(&errOut, err); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if !strings.HasPrefix(out.String(), "Incorrect Usage: flag provided but not defined: -nope\n") ||
		errOut.String() != "flag provided but not defined: -nope\n" {
		t.Errorf("got %q and %q", out.String(), errOut.String())
	}
}

// TestInterruptedBench: CTRL+C ends a measurement early. It prints what was measured until then, and ends with the exit code of a shell.
func TestInterruptedBench(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			var requests atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				w.WriteHeader(http.StatusCreated)
			}))
			t.Cleanup(server.Close)
			cmd := exec.Command(os.Args[0], "ctl", "--endpoints", server.URL, "bench", "put", "--duration", "1h")
			p := servertest.StartCommand(t, cmd)
			servertest.Await(t, "the load", func() bool { return requests.Load() > 1000 })
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if code := p.AwaitExit(); code != 130 {
				t.Errorf("exit code %d, want 130\n%s", code, p.Stderr)
			}
			if !strings.Contains(p.Stdout.String(), "interrupted") || !strings.Contains(p.Stdout.String(), "99.9") {
				t.Errorf("it printed\n%s", p.Stdout)
			}
		})
	}
}
