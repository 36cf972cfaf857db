package v3

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pando/members/servertest"
)

// must runs a command of this client that has to succeed, and returns its output.
func (s *member) must(t *testing.T, args ...string) string {
	t.Helper()
	got := ours(t.Context(), s, "", nil, args)
	if got.code != 0 {
		t.Fatalf("%q: exit code %d\n%s", args, got.code, got.stderr)
	}
	return got.stdout
}

// runUntil runs a command until it has printed a number of lines, and then interrupts it.
func runUntil(t *testing.T, o oracle, s *member, lines int, args ...string) (code int, output string) {
	t.Helper()
	var stdout, stderr lockedBuffer
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan int, 1)
	endpoint := "ETCDCTL_ENDPOINTS=" + strings.TrimPrefix(s.Client, "http://")
	if o.etcdctl == "" {
		environ := append(os.Environ(), endpoint)
		go func() {
			done <- Main(ctx, append([]string{"etcdctl"}, args...), environ, strings.NewReader(""), &stdout, &stderr, Host{})
		}()
	} else {
		cmd := exec.CommandContext(ctx, o.etcdctl, args...)
		cmd.Env = append(os.Environ(), "ETCDCTL_API=3", endpoint)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		go func() {
			cmd.Run()
			done <- cmd.ProcessState.ExitCode()
		}()
	}
	servertest.Await(t, strings.Join(args, " ")+" to print", func() bool {
		return strings.Count(stdout.String(), "\n") >= lines
	})
	cancel()
	return <-done, normal(stdout.String(), s)
}

// onEachServer runs a test with a new server of each kind, and with the oldest oracle.
func onEachServer(t *testing.T, test func(t *testing.T, o oracle, s *member)) {
	t.Helper()
	o := oracles(t)[0]
	for _, kind := range servers() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, o, o.start(t, kind))
		})
	}
}

// TestWatchSameAsEtcdctl watches a history with both clients.
func TestWatchSameAsEtcdctl(t *testing.T) {
	t.Parallel()
	for _, o := range oracles(t) {
		for _, kind := range servers() {
			t.Run(o.version+" "+string(kind), func(t *testing.T) {
				t.Parallel()
				testWatches(t, o, o.start(t, kind))
			})
		}
	}
}

func testWatches(t *testing.T, o oracle, s *member) {
	s.must(t, "put", "w1", "a")
	s.must(t, "put", "w1", `b"c`)
	s.must(t, "put", "w2", "d")
	s.must(t, "del", "w1")
	for _, c := range []struct {
		lines int
		args  []string
	}{
		{12, []string{"watch", "w", "--prefix", "--rev=1"}},
		{16, []string{"watch", "--prev-kv", "w", "--prefix", "--rev=1"}},
		{9, []string{"watch", "w1", "--rev=1"}},
		{9, []string{"watch", "w1", "w2", "--rev", "2"}},
		{12, []string{"watch", "w", "--prefix", "--rev=1", "--hex"}},
		{1, []string{"watch", "w", "--prefix", "--rev=1", "-w", "json"}},
		{40, []string{"watch", "w", "--prefix", "--rev=1", "--prev-kv", "-w", "fields"}},
		{21, []string{"watch", "w1", "--rev=1", "--", "sh", "-c", "env | grep ETCD_WATCH | sort"}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			if o.version == "3.4" && slices.Contains(c.args, "json") {
				t.Skip("etcdctl 3.4 prints no CancelReason")
			}
			_, got := runUntil(t, oracle{}, s, c.lines, c.args...)
			_, want := runUntil(t, o, s, c.lines, c.args...)
			if got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// TestWatchContinues kills the server of a watch and starts it again: the watch prints every change once.
func TestWatchContinues(t *testing.T) {
	t.Parallel()
	o := oracles(t)[0]
	for _, kind := range servers() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			testWatchContinues(t, o, kind)
		})
	}
}

func testWatchContinues(t *testing.T, o oracle, kind server) {
	m := servertest.NewMembers(t, "default")[0]
	s := o.startMember(t, kind, m)
	s.must(t, "put", "k", "1")
	var stdout, stderr lockedBuffer
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan int, 1)
	go func() {
		args := []string{"etcdctl", "--endpoints=" + s.Client, "watch", "k", "--rev=1"}
		done <- Main(ctx, args, nil, strings.NewReader(""), &stdout, &stderr, Host{})
	}()
	servertest.Await(t, "the first change", func() bool { return stdout.String() == "PUT\nk\n1\n" })
	s.Kill()
	s = o.startMember(t, kind, m)
	s.must(t, "put", "k", "2")
	s.must(t, "put", "k", "3")
	servertest.Await(t, "the changes after the restart", func() bool { return strings.Count(stdout.String(), "\n") >= 9 })
	cancel()
	if code := <-done; code != exitSignal || stdout.String() != "PUT\nk\n1\nPUT\nk\n2\nPUT\nk\n3\n" || stderr.String() != "" {
		t.Errorf("exit code %d\n%s%s", code, stdout.String(), stderr.String())
	}
}

// TestWatchInteractive types lines into watch -i.
func TestWatchInteractive(t *testing.T) {
	t.Parallel()
	onEachServer(t, testWatchInteractive)
}

func testWatchInteractive(t *testing.T, _ oracle, s *member) {
	s.must(t, "put", "w1", "a")
	s.must(t, "put", "w2", "b")
	for name, c := range map[string]struct{ line, stdout, stderr string }{
		"a watch":      {"watch w1 --rev=1", "PUT\nw1\na\n", ""},
		"a range":      {`watch "w1" "w3" --rev 1`, "PUT\nw1\na\nPUT\nw2\nb\n", ""},
		"a command":    {"watch w1 --rev=1 -- echo changed", "PUT\nw1\na\nchanged\n", ""},
		"unknown":      {"foo", "", "Invalid command foo (only support watch)\n"},
		"no key":       {"watch", "", "Invalid command watch (command type or key is not provided)\n"},
		"empty":        {"", "", "Invalid command:  (watch and progress supported)\n"},
		"a wrong flag": {"watch w1 --rev=1 --bogus", "", "Error: unknown flag: --bogus\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			var stdout, stderr lockedBuffer
			done := make(chan int, 1)
			go func() {
				done <- Main(t.Context(), []string{"etcdctl", "--endpoints=" + s.Client, "watch", "-i"}, os.Environ(), reader, &stdout, &stderr, Host{})
			}()
			writer.WriteString(c.line + "\n")
			servertest.Await(t, "the output", func() bool {
				return stdout.String() == c.stdout && strings.HasPrefix(stderr.String(), c.stderr)
			})
			writer.Close()
			if code := <-done; code != exitInvalidInput && code != exitBadArguments {
				t.Errorf("exit code %d\n%s", code, stderr.String())
			}
		})
	}
}

// TestLocksExclude holds a lock with one client while the other waits for it.
func TestLocksExclude(t *testing.T) {
	t.Parallel()
	onEachServer(t, testLocksExclude)
}

func testLocksExclude(t *testing.T, o oracle, s *member) {
	log := filepath.Join(t.TempDir(), "log")
	script := `echo "begin $0" >> "$1"; sleep 0.1; echo "end $0" >> "$1"`
	var group sync.WaitGroup
	for _, run := range []struct {
		name string
		run  runner
	}{{"ours", ours}, {"theirs", o.run}, {"ours again", ours}} {
		group.Go(func() {
			got := run.run(t.Context(), s, "", nil, []string{"lock", "l", "--", "sh", "-c", script, run.name, log})
			if got.code != 0 {
				t.Errorf("%s: exit code %d\n%s", run.name, got.code, got.stderr)
			}
		})
	}
	group.Wait()
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != 6 {
		t.Fatalf("the commands wrote\n%s", data)
	}
	for i := 0; i < 6; i += 2 {
		if strings.TrimPrefix(lines[i], "begin ") != strings.TrimPrefix(lines[i+1], "end ") {
			t.Errorf("two commands ran at once:\n%s", data)
		}
	}
}

// TestMirror copies keys with both clients, each to a prefix of its own.
func TestMirror(t *testing.T) {
	t.Parallel()
	onEachServer(t, testMirror)
}

func testMirror(t *testing.T, o oracle, s *member) {
	s.must(t, "put", "m/a", "1")
	s.must(t, "put", "m/b", "2")
	endpoint := strings.TrimPrefix(s.Client, "http://")
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for prefix, run := range map[string]runner{"ours/": ours, "theirs/": o.run} {
		group.Go(func() {
			run(ctx, s, "", nil, []string{"make-mirror", "--prefix", "m/", "--dest-prefix", prefix, endpoint})
		})
	}
	await := func(want string) {
		t.Helper()
		for _, prefix := range []string{"ours/", "theirs/"} {
			servertest.Await(t, "the copies in "+prefix, func() bool {
				return strings.ReplaceAll(s.must(t, "get", "--prefix", prefix), prefix, "") == want
			})
		}
	}
	await("a\n1\nb\n2\n")
	s.must(t, "put", "m/c", "3")
	s.must(t, "del", "m/a")
	await("b\n2\nc\n3\n")
	cancel()
	group.Wait()
}
