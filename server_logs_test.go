package main

import (
	"encoding/json"
	"errors"
	"os"
	"pando/stats"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestServerLogs looks at all that a server prints: with JSON each line is JSON, and a log file says what was started
// and why it ended.
func TestServerLogs(t *testing.T) {
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
	s := seats(t, "a")[0]
	flags := []string{"--initial-cluster", initialClusterOf([]seat{s}), "--log-format", "json", "--log-outputs", "stderr," + file}
	p := s.spawn(t, flags...)
	await(t, "the member to serve", func() bool { return strings.Contains(read(), "serving clients") })
	for _, want := range []string{`"version":"` + stats.Version + `"`, `"clients":["` + s.clientURL() + `"]`, `"peers":["` + s.peerURL() + `"]`} {
		if !strings.Contains(read(), want) {
			t.Errorf("the log file lacks %s:\n%s", want, read())
		}
	}
	t.Run("SIGHUP", func(t *testing.T) {
		if err := os.Rename(file, file+".1"); err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		await(t, "a new file", func() bool { return strings.Contains(read(), "opened again") })
	})
	t.Run("the reason for an end", func(t *testing.T) {
		other := s.spawn(t, flags...)
		if code := other.awaitExit(); code != exitTaken || !strings.Contains(read(), "is another server running there?") {
			t.Errorf("exit code %d; the log file has\n%s", code, read())
		}
		onlyJSON(t, other.stderr.String(), other.stdout.String())
	})
	p.terminate()
	endsWith(t, p, 0, "shutting down")
	onlyJSON(t, p.stderr.String(), p.stdout.String(), read())
}

// TestHangupWithoutLogFile sends SIGHUP, as the end of a terminal does, to a server that has nothing to open again.
func TestHangupWithoutLogFile(t *testing.T) {
	p := launch(t, t.TempDir())
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	await(t, "word of the signal", func() bool { return strings.Contains(p.stderr.String(), "SIGHUP") })
	newKeyClient(t, p.client).must(t, "PUT", "/a", form("value", "1"))
}
