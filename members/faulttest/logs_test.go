package faulttest

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pando/stats"

	"pando/ctl/program"
	"pando/members/servertest"
)

// TestServerLogs checks everything that a server prints. With --log-format json each line must be JSON. The log file
// must say what was started and why it ended.
func TestServerLogs(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pando.log")
	read := func() string {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return string(text)
	}
	onlyJSON := func(t *testing.T, texts ...string) {
		t.Helper()
		for _, text := range texts {
			for line := range strings.Lines(text) {
				if !json.Valid([]byte(line)) {
					t.Errorf("not JSON: %s", line)
				}
			}
		}
	}
	s := servertest.NewMembers(t, "a")[0]
	flags := []string{
		"--initial-cluster", servertest.InitialCluster([]servertest.Member{s}), "--log-format", "json", "--log-outputs", "stderr," + file,
	}
	p := s.StartPando(t, flags...)
	servertest.Await(t, "the member to serve", func() bool { return strings.Contains(read(), "serving clients") })
	for _, want := range []string{
		`"version":"` + stats.Version + `"`, `"clients":["` + s.ClientURL() + `"]`, `"peers":["` + s.PeerURL() + `"]`,
	} {
		if !strings.Contains(read(), want) {
			t.Errorf("the log file lacks %s:\n%s", want, read())
		}
	}
	t.Run("SIGHUP", func(t *testing.T) {
		if err := os.Rename(file, file+".1"); err != nil {
			t.Fatal(err)
		}
		if err := p.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		servertest.Await(t, "a new file", func() bool { return strings.Contains(read(), "opened again") })
	})
	t.Run("the reason for an end", func(t *testing.T) {
		other := s.StartPando(t, flags...)
		if code := other.AwaitExit(); code != program.ExitTaken || !strings.Contains(read(), "is another server running there?") {
			t.Errorf("exit code %d; the log file has\n%s", code, read())
		}
		onlyJSON(t, other.Stderr.String(), other.Stdout.String())
	})
	p.Terminate()
	endsWith(t, p, 0, "shutting down")
	onlyJSON(t, p.Stderr.String(), p.Stdout.String(), read())
}

// TestHangupWithoutLogFile sends SIGHUP to a server without a log file. The server must go on.
func TestHangupWithoutLogFile(t *testing.T) {
	t.Parallel()
	p := servertest.Launch(t, t.TempDir())
	if err := p.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	servertest.Await(t, "word of the signal", func() bool { return strings.Contains(p.Stderr.String(), "SIGHUP") })
	servertest.NewKeyClient(t, p.Client).Must(t, "PUT", "/a", servertest.Form("value", "1"))
}
