package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
)

func openLog(t *testing.T, flags string) (*zap.Logger, func(), *strings.Builder, *strings.Builder) {
	t.Helper()
	cfg, _, err := loadConfig(assignments(flags), nil)
	if err != nil {
		t.Fatal(err)
	}
	var out, errOut strings.Builder
	log, outputs, err := newLogger(cfg, &out, &errOut)
	if err != nil {
		t.Fatal(err)
	}
	return log, outputs.Close, &out, &errOut
}

func TestConsoleLog(t *testing.T) {
	log, closeLog, out, errOut := openLog(t, "log-level=info")
	log.Debug("hidden")
	log.Named("wal").With(zap.String("dir", "a b")).Info("opened",
		zap.Int("segments", 3), zap.Duration("took", 1500*time.Microsecond), zap.Strings("files", []string{"x", "y"}),
		zap.Error(errors.New("line\nbreak")), zap.String("plain", "word"), zap.String("empty", ""), zap.Bool("ok", true))
	log.Warn("careful")
	closeLog()
	if out.Len() > 0 {
		t.Errorf("standard output has %q", out.String())
	}
	stamp := regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)`)
	got := stamp.ReplaceAllString(errOut.String(), "TIME")
	want := `TIME INFO  wal: opened dir="a b" segments=3 took=1.5ms files=["x","y"] error="line\nbreak" plain=word empty="" ok=true
TIME WARN  careful
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestConsoleLogWithIsIndependent(t *testing.T) {
	log, closeLog, _, errOut := openLog(t, "")
	base := log.With(zap.Int("a", 1))
	one, two := base.With(zap.Int("b", 2)), base.With(zap.Int("c", 3))
	one.Info("one")
	two.Info("two")
	closeLog()
	if got := errOut.String(); !strings.Contains(got, "one a=1 b=2\n") || !strings.Contains(got, "two a=1 c=3\n") {
		t.Errorf("got %s", got)
	}
}

func TestJSONLog(t *testing.T) {
	log, closeLog, out, errOut := openLog(t, "log-format=json log-outputs=stdout")
	log.Info("hello", zap.String("to", "world"))
	closeLog()
	var line struct{ Level, Time, Msg, To string }
	if err := json.Unmarshal([]byte(out.String()), &line); err != nil {
		t.Fatalf("%v in %q", err, out.String())
	}
	if line.Level != "info" || line.Msg != "hello" || line.To != "world" || line.Time == "" || errOut.Len() > 0 {
		t.Errorf("got %+v, standard error %q", line, errOut.String())
	}
}

func TestLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pando.log")
	for range 2 {
		log, closeLog, _, errOut := openLog(t, "log-outputs=default,"+path)
		log.Info("started")
		closeLog()
		if !strings.Contains(errOut.String(), "started") {
			t.Errorf("standard error has %q", errOut.String())
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "started"); n != 2 {
		t.Errorf("the file has %d lines, want 2 (appended): %s", n, text)
	}
}

// TestLogFileReopens moves a log file away and opens it again, as a program that rotates logs does.
func TestLogFileReopens(t *testing.T) {
	dir := t.TempDir()
	path, old := filepath.Join(dir, "pando.log"), filepath.Join(dir, "pando.log.1")
	cfg, _, err := loadConfig(assignments("log-outputs="+path), nil)
	if err != nil {
		t.Fatal(err)
	}
	log, outputs, err := newLogger(cfg, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer outputs.Close()
	hangups, done := make(chan os.Signal), make(chan struct{})
	go func() {
		defer close(done)
		outputs.reopenAt(hangups, log)
	}()
	log.Info("before")
	if err := os.Rename(path, old); err != nil {
		t.Fatal(err)
	}
	log.Info("moved")
	hangups <- syscall.SIGHUP
	close(hangups)
	<-done
	log.Info("after")
	for file, want := range map[string]string{old: "before\nmoved\n", path: "SIGHUP: the log files were opened again files=1\nafter\n"} {
		text, err := os.ReadFile(file)
		if got := regexp.MustCompile(`(?m)^.* INFO  `).ReplaceAllString(string(text), ""); err != nil || got != want {
			t.Errorf("%s has %q, want %q", file, got, want)
		}
	}

	t.Run("a directory that is gone", func(t *testing.T) {
		file := outputs.files[0]
		file.path = filepath.Join(dir, "gone", "pando.log")
		if err := file.Reopen(); err == nil {
			t.Error("no error")
		}
		log.Info("still there")
		if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "still there") {
			t.Errorf("%q, %v", text, err)
		}
	})
}

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
	for _, want := range []string{`"version":"` + version + `"`, `"clients":["` + s.clientURL() + `"]`, `"peers":["` + s.peerURL() + `"]`} {
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
