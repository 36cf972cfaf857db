package audit

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
)

// counts are Metrics for tests.
type counts struct{ written, lost atomic.Int64 }

func (c *counts) AuditWritten(n int) { c.written.Add(int64(n)) }

func (c *counts) AuditLost(n int) { c.lost.Add(int64(n)) }

// pipe is an output that can be blocked and that can fail.
type pipe struct {
	mu      sync.Mutex
	text    strings.Builder
	fail    error         // the next Write writes half of its bytes and fails
	blocked chan struct{} // Write waits until it is closed; nil for no wait
}

func (p *pipe) Write(b []byte) (int, error) {
	if p.blocked != nil {
		<-p.blocked
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.fail; err != nil {
		p.fail = nil
		p.text.Write(b[:len(b)/2])
		return len(b) / 2, err
	}
	return p.text.Write(b)
}

// openPipe opens a Log that writes to a pipe.
func openPipe(t *testing.T, p *pipe, reads bool) (*Log, *counts) {
	t.Helper()
	c := &counts{}
	l, err := Open(Config{Path: Stdout, Stdout: p, Reads: reads, Metrics: c, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	return l, c
}

// await polls until done returns true. It fails the test after 20 s.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

func TestLine(t *testing.T) {
	when := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	for _, test := range []struct {
		name   string
		record Record
		want   string
	}{
		{"all fields", Record{
			Time: when, Remote: "10.0.0.1:5", Forwarded: "10.0.0.2", Principal: "ann", Proof: "password", Operation: "get", Key: "/a",
			Index: 7, Outcome: Failed, Reason: "key not found", Omitted: 3,
		}, `{"time":"2026-01-02T03:04:05.000006Z","remote":"10.0.0.1:5","forwarded":"10.0.0.2","principal":"ann","proof":"password",` +
			`"operation":"get","key":"/a","index":7,"outcome":"failed","reason":"key not found","omitted":3}`},
		{"no user", Record{Time: when, Operation: "set", Key: "/", Outcome: OK},
			`{"time":"2026-01-02T03:04:05.000006Z","operation":"set","key":"/","outcome":"ok"}`},
		{"a name with a new line", Record{Time: when, Principal: "a\n{\"time\":\"0\"}\r\x1b[2J\x7f"},
			`{"time":"2026-01-02T03:04:05.000006Z","principal":"a\u000a{\"time\":\"0\"}\u000d\u001b[2J\u007f"}`},
		{"a name outside of ASCII", Record{Time: when, Principal: "é\u2028😀\xff\\"},
			`{"time":"2026-01-02T03:04:05.000006Z","principal":"\u00e9\u2028\ud83d\ude00\ufffd\\"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := string(test.record.appendLine(nil)); got != test.want+"\n" {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
	t.Run("a long name", func(t *testing.T) {
		r := Record{Time: when, Principal: strings.Repeat("é", maxText), Key: "/" + strings.Repeat("k", maxKey)}
		var line struct{ Principal, Key string }
		if err := json.Unmarshal(r.appendLine(nil), &line); err != nil {
			t.Fatal(err)
		}
		if len(line.Principal) > 2*maxText || !strings.HasSuffix(line.Principal, "...") || len(line.Key) != maxKey+3 {
			t.Errorf("got %d and %d bytes", len(line.Principal), len(line.Key))
		}
	})
}

// FuzzLine checks that any texts give one line of JSON in ASCII that contains the texts.
func FuzzLine(f *testing.F) {
	f.Add("ann", "/a", "\n\"\\\u2028\xff")
	f.Fuzz(func(t *testing.T, principal, key, reason string) {
		r := Record{Time: time.Now(), Principal: principal, Key: key, Reason: reason}
		line := r.appendLine(nil)
		for i, c := range line {
			if (c < ' ' || c >= 0x7f) && i != len(line)-1 {
				t.Fatalf("the line has the byte %q: %s", c, line)
			}
		}
		var got struct{ Principal, Key, Reason string }
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if want := strings.ToValidUTF8(key, ""); len(key) <= maxKey && want == key && got.Key != key {
			t.Errorf("the key is %q, want %q", got.Key, key)
		}
	})
}

func TestLog(t *testing.T) {
	t.Run("a file is appended to and opened again", func(t *testing.T) {
		dir := t.TempDir()
		path, old := filepath.Join(dir, "audit.log"), filepath.Join(dir, "audit.log.1")
		c := &counts{}
		l, err := Open(Config{Path: path, Reads: true, Metrics: c, Logger: zap.NewNop()})
		if err != nil {
			t.Fatal(err)
		}
		l.Record(Record{Operation: "before"})
		await(t, "the first line", func() bool { return c.written.Load() == 1 })
		if err := os.Rename(path, old); err != nil {
			t.Fatal(err)
		}
		if err := l.Reopen(); err != nil {
			t.Fatal(err)
		}
		l.Record(Record{Operation: "after", Read: true})
		l.Close()
		for file, want := range map[string]string{old: "before", path: "after"} {
			text, err := os.ReadFile(file)
			if err != nil || strings.Count(string(text), "\n") != 1 || !strings.Contains(string(text), want) {
				t.Errorf("%s has %q, %v", file, text, err)
			}
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the mode is %v, %v", info.Mode(), err)
		}
	})
	t.Run("a directory that does not exist", func(t *testing.T) {
		if _, err := Open(Config{Path: filepath.Join(t.TempDir(), "no", "audit.log")}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("without reads", func(t *testing.T) {
		p := &pipe{}
		l, _ := openPipe(t, p, false)
		l.Record(Record{Operation: "get", Read: true, Outcome: OK})
		l.Record(Record{Operation: "list", Read: true, Outcome: Denied})
		l.Record(Record{Operation: "set", Outcome: OK})
		l.Close()
		if got := p.text.String(); strings.Contains(got, `"get"`) || !strings.Contains(got, `"list"`) || !strings.Contains(got, `"set"`) {
			t.Errorf("got %s", got)
		}
	})
}

// TestFullBuffer blocks the output. Operations go on, the buffer keeps room for changes, and lost records are counted.
func TestFullBuffer(t *testing.T) {
	p := &pipe{blocked: make(chan struct{})}
	l, c := openPipe(t, p, true)
	key := strings.Repeat("k", 1000)
	record := func(read bool) (lost bool) {
		before := c.lost.Load()
		l.Record(Record{Operation: "x", Key: key, Outcome: OK, Read: read})
		return c.lost.Load() > before
	}
	for range 2 * bufferBytes / len(key) {
		record(true)
	}
	if c.lost.Load() == 0 || !record(true) {
		t.Fatal("no read was dropped")
	}
	before := c.lost.Load()
	if l.Record(Record{Operation: "x", Key: key, Outcome: Denied}); c.lost.Load() == before {
		t.Error("a denied change was not dropped")
	}
	if record(false) {
		t.Error("there was no room for a change")
	}
	for !record(false) {
	}
	close(p.blocked)
	lost := c.lost.Load()
	l.Close()
	text := p.text.String()
	if got := int64(strings.Count(text, `"operation":"x"`)); got != c.written.Load() {
		t.Errorf("%d lines, and %d are counted", got, c.written.Load())
	}
	if !strings.Contains(text, opLost) || lost == 0 {
		t.Error("no line says how many records were lost")
	}
	if !record(false) {
		t.Error("a closed log has taken a record")
	}
}

// TestFailedWrite checks that a line after a failed write begins at the start of a line, and that the loss is written down.
func TestFailedWrite(t *testing.T) {
	p := &pipe{fail: errors.New("no space left on device")}
	l, c := openPipe(t, p, true)
	l.Record(Record{Operation: "torn"})
	await(t, "the failed write", func() bool { return c.lost.Load() == 1 })
	l.Record(Record{Operation: "whole"})
	l.Close()
	lines := strings.Split(strings.TrimSpace(p.text.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], "whole") || !strings.Contains(lines[2], `"omitted":1`) {
		t.Errorf("got %q", lines)
	}
}

func TestConcurrentRecords(t *testing.T) {
	p := &pipe{}
	l, c := openPipe(t, p, true)
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for range 1000 {
				l.Record(Record{Operation: "set", Key: "/a", Outcome: OK})
			}
		})
	}
	writers.Wait()
	l.Close()
	if n := strings.Count(p.text.String(), "\n"); n != 8000 || c.written.Load() != 8000 {
		t.Errorf("%d lines, %d counted", n, c.written.Load())
	}
}

// TestSampler checks that many failures of one user cause few records, and do not hide those of others.
func TestSampler(t *testing.T) {
	s := NewSampler()
	written, omitted := uint64(0), uint64(0)
	for range 1000 {
		if selected, before := s.Select("ann", "10.0.0.1:2"); selected {
			written, omitted = written+1, omitted+before
		}
	}
	if written < sampleBurst || written > sampleBurst+100 {
		t.Errorf("%d of 1000 records are written", written)
	}
	if left := s.bucket("ann", "10.0.0.1:3").omitted.Load(); written+omitted+left != 1000 {
		t.Errorf("%d records are written, %d reported and %d counted", written, omitted, left)
	}
	others := 0
	for _, name := range []string{"bob", "cem", "dan", "eve", "fay", "gus"} {
		if selected, _ := s.Select(name, "10.0.0.1:2"); selected {
			others++
		}
	}
	if others < 4 { // two of them may share a bucket with ann
		t.Errorf("the first failures of %d of 6 other users are written", others)
	}
}

// BenchmarkRecord measures what an operation pays for its record.
func BenchmarkRecord(b *testing.B) {
	l, err := Open(Config{Path: Stdout, Stdout: io.Discard, Reads: true, Metrics: &counts{}, Logger: zap.NewNop()})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	r := Record{Remote: "127.0.0.1:50000", Principal: "ann", Proof: "password", Operation: "get", Key: "/services/web/1", Index: 42,
		Outcome: OK, Read: true}
	b.ReportAllocs()
	for b.Loop() {
		l.Record(r)
	}
}
