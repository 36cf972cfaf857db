package logging

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

// openLog opens a log at level info. out and errOut receive what it writes to the standard streams.
func openLog(t *testing.T, format Format, outputs ...string) (log *zap.Logger, closeLog func(), out, errOut *strings.Builder) {
	t.Helper()
	out, errOut = &strings.Builder{}, &strings.Builder{}
	log, opened, err := New(Options{Level: zap.InfoLevel, Format: format, Outputs: outputs}, out, errOut)
	if err != nil {
		t.Fatal(err)
	}
	return log, opened.Close, out, errOut
}

func TestConsoleLog(t *testing.T) {
	log, closeLog, out, errOut := openLog(t, Console, "stderr")
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
	log, closeLog, _, errOut := openLog(t, Console, "stderr")
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
	log, closeLog, out, errOut := openLog(t, JSON, "stdout")
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
		log, closeLog, _, errOut := openLog(t, Console, "stderr", path)
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

// TestLogFileReopens renames a log file and opens it again, as a program that rotates logs does.
func TestLogFileReopens(t *testing.T) {
	dir := t.TempDir()
	path, old := filepath.Join(dir, "pando.log"), filepath.Join(dir, "pando.log.1")
	log, outputs, err := New(Options{Level: zap.InfoLevel, Format: Console, Outputs: []string{path}}, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer outputs.Close()
	log.Info("before")
	if err := os.Rename(path, old); err != nil {
		t.Fatal(err)
	}
	log.Info("moved")
	outputs.Reopen(log)
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
