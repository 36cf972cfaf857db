package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pando/members/servertest"
)

// background is a run of the client that continues during the test.
type background struct {
	out, errOut lockedBuffer
	code        chan int
	stop        context.CancelFunc // as CTRL+C does
}

// goRun starts a run of the client.
func goRun(t *testing.T, args ...string) *background {
	t.Helper()
	b := &background{code: make(chan int, 1)}
	logOnFailure(t, &b.out, &b.errOut)
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.code <- Main(ctx, append([]string{"etcdctl"}, args...), strings.NewReader(""), &b.out, &b.errOut, Host{})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return b
}

// awaitOutput waits until a run has printed something on stdout.
func (b *background) awaitOutput(t *testing.T, text string) {
	t.Helper()
	servertest.Await(t, "the client to print "+strconv.Quote(text), func() bool { return strings.Contains(b.out.String(), text) })
}

// awaitExit waits for the end of a run and checks its exit code.
func (b *background) awaitExit(t *testing.T, code int) {
	t.Helper()
	if got := b.exitCode(t); got != code {
		t.Errorf("exit code %d, want %d: %s", got, code, b.errOut.String())
	}
}

// exitCode waits for the end of a run and returns its exit code.
func (b *background) exitCode(t *testing.T) int {
	t.Helper()
	select {
	case code := <-b.code:
		return code
	case <-time.After(servertest.Timeout):
		t.Fatalf("it does not end: %s", b.errOut.String())
		return 0
	}
}

// awaitQueue waits until there are n keys in a queue.
func (s *server) awaitQueue(t *testing.T, queue string, n int) {
	t.Helper()
	servertest.Await(t, fmt.Sprintf("%d keys in %s", n, queue), func() bool {
		out, _, _ := run(t, "--endpoints", s.Client, "ls", queue)
		return strings.Count(out, "\n") == n
	})
}

func TestLock(t *testing.T) {
	bothServers(t, func(t *testing.T, s *server) {
		t.Run("one at a time, with growing indexes", func(t *testing.T) { lockOneAtATime(t, s) })
		t.Run("held by hand until it is interrupted", func(t *testing.T) { lockHeldByHand(t, s) })
		t.Run("a contender that leaves does not delay the others", func(t *testing.T) { lockQueueLeft(t, s) })
		t.Run("refreshed as long as it is held", func(t *testing.T) {
			if !lockRefreshed(t, s, 2) && !lockRefreshed(t, s, 20) { // a busy machine may lose the first lock
				t.Error("both locks were lost")
			}
		})
		t.Run("no longer than --wait", func(t *testing.T) {
			r := goRun(t, "--endpoints", s.Client, "lock", "/wait")
			r.awaitOutput(t, "/wait/")
			_, stderr, code := run(t, "--endpoints", s.Client, "lock", "--wait", "500ms", "/wait")
			if code != exitTimedOut || !strings.Contains(stderr, "/wait is still held") {
				t.Errorf("exit code %d, %q", code, stderr)
			}
			s.awaitQueue(t, "/wait", 1)
		})
		t.Run("lost when its key is removed", func(t *testing.T) {
			r := goRun(t, "--endpoints", s.Client, "lock", "--ttl", "1", "/removed", "--", "sh", "-c", "echo begun; exec sleep 60")
			r.awaitOutput(t, "begun")
			s.must(t, "rm", "--recursive", "/removed")
			r.awaitExit(t, exitLost)
		})
	})
}

// lockRefreshed holds a lock for longer than its TTL in seconds, while another client waits for it. It returns false if the lock was lost.
func lockRefreshed(t *testing.T, s *server, ttl int) bool {
	t.Helper()
	key := fmt.Sprint("/fresh", ttl)
	r := goRun(t, "--endpoints", s.Client, "lock", "--ttl", strconv.Itoa(ttl), key, "--", "sh", "-c",
		fmt.Sprintf("echo begun; sleep %d.5; exit 42", 2*ttl))
	r.awaitOutput(t, "begun")
	waiting := goRun(t, "--endpoints", s.Client, "lock", key, "--", "echo", "mine")
	code := r.exitCode(t)
	waiting.awaitExit(t, exitOK)
	if code != 42 && code != exitLost {
		t.Errorf("exit code %d, want 42: %s", code, r.errOut.String())
	}
	return code != exitLost
}

// lockOneAtATime lets several runs write to a file when they begin and when they end to hold the lock.
func lockOneAtATime(t *testing.T, s *server) {
	log := filepath.Join(t.TempDir(), "log")
	var runs []*background
	for range 8 {
		runs = append(runs, goRun(t, "--endpoints", s.Client, "lock", "many", "--", "sh", "-c",
			fmt.Sprintf(`echo "in $PANDO_LOCK_INDEX $PANDO_LOCK_KEY" >> %[1]s; sleep 0.02
				echo "out $PANDO_LOCK_INDEX $PANDO_LOCK_KEY" >> %[1]s`, log)))
	}
	for _, r := range runs {
		r.awaitExit(t, exitOK)
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != 16 {
		t.Fatalf("got %q", lines)
	}
	last := 0
	for i := 0; i < len(lines); i += 2 {
		index, err := strconv.Atoi(strings.Fields(lines[i])[1])
		if err != nil || index <= last || lines[i+1] != strings.Replace(lines[i], "in", "out", 1) {
			t.Fatalf("got %q after index %d", lines[i:i+2], last)
		}
		if !strings.HasPrefix(strings.Fields(lines[i])[2], "/_locks/many/") {
			t.Errorf("got %q", lines[i])
		}
		last = index
	}
	if _, stderr, code := run(t, "--endpoints", s.Client, "ls", "/_locks/many"); code != exitServer {
		t.Errorf("the queue is still there: %q", stderr)
	}
}

func lockHeldByHand(t *testing.T, s *server) {
	first := goRun(t, "--endpoints", s.Client, "lock", "/hand")
	first.awaitOutput(t, "/hand/")
	second := goRun(t, "--endpoints", s.Client, "lock", "/hand", "echo", "mine")
	s.awaitQueue(t, "/hand", 2)
	if second.out.Len() > 0 {
		t.Errorf("the second holds it too: %q", second.out.String())
	}
	first.stop()
	first.awaitExit(t, exitOK)
	second.awaitExit(t, exitOK)
	if got := second.out.String(); got != "mine\n" {
		t.Errorf("got %q", got)
	}
}

func lockQueueLeft(t *testing.T, s *server) {
	first := goRun(t, "--endpoints", s.Client, "lock", "/leave")
	first.awaitOutput(t, "/leave/")
	second := goRun(t, "--endpoints", s.Client, "lock", "/leave")
	s.awaitQueue(t, "/leave", 2)
	third := goRun(t, "--endpoints", s.Client, "lock", "/leave")
	s.awaitQueue(t, "/leave", 3)
	second.stop()
	second.awaitExit(t, exitInterrupted)
	s.awaitQueue(t, "/leave", 2)
	if third.out.Len() > 0 {
		t.Error("the third holds it too")
	}
	first.stop()
	third.awaitOutput(t, "/leave/")
}

// TestLockLost: the command has ended before another could hold the lock.
func TestLockLost(t *testing.T) {
	for name, command := range map[string]string{
		"and the command obeys":    "echo begun; exec sleep 60",
		"and the command does not": `trap "" TERM; echo begun; while :; do sleep 1; done`,
		"and there is no command":  "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startPando(t)
			args := []string{"--endpoints", s.Client, "lock", "--ttl", "2", "/x"}
			if command != "" {
				args = append(args, "--", "sh", "-c", command)
			}
			r := goRun(t, args...)
			servertest.Await(t, "the lock to be held", func() bool { return r.out.Len() > 0 })
			s.Kill()
			killed := time.Now()
			r.awaitExit(t, exitLost)
			// TestLostBeforeTheEnd checks the time that the client needs itself. The machine may be busy.
			if late := time.Since(killed); late > 10*time.Second {
				t.Errorf("ended %s after the last refresh could have been taken", late)
			}
			if !strings.Contains(r.errOut.String(), "no member took a refresh in time") {
				t.Errorf("said %q", r.errOut.String())
			}
		})
	}
	t.Run("not by a short outage", func(t *testing.T) {
		t.Parallel()
		s := startPando(t)
		r := goRun(t, "--endpoints", s.Client, "lock", "--ttl", "30", "/x")
		r.awaitOutput(t, "/x/")
		waiting := goRun(t, "--endpoints", s.Client, "lock", "--ttl", "30", "/x")
		s.awaitQueue(t, "/x", 2)
		s.Kill()
		s.restart()
		r.stop()
		r.awaitExit(t, exitOK)
		waiting.awaitOutput(t, "/x/")
	})
}

// TestLockHasNoHerd: each contender watches the one before it, so that the end of one wakes only one.
func TestLockHasNoHerd(t *testing.T) {
	s := startPando(t)
	to, err := url.Parse(s.Client)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	watched := map[string]int{}
	forward := httputil.NewSingleHostReverseProxy(to)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("wait") == "true" {
			mu.Lock()
			watched[r.URL.Path]++
			mu.Unlock()
		}
		forward.ServeHTTP(w, r)
	}))
	defer front.Close()
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(watched)
	}
	holders := []*background{}
	for i := range 5 {
		holders = append(holders, goRun(t, "--no-sync", "--endpoints", front.URL, "lock", "/herd"))
		s.awaitQueue(t, "/herd", i+1)
	}
	holders[0].awaitOutput(t, "/herd/")
	servertest.Await(t, "four contenders to wait", func() bool { return count() == 4 })
	for _, h := range holders {
		h.awaitOutput(t, "/herd/")
		h.stop()
		h.awaitExit(t, exitOK)
	}
	mu.Lock()
	defer mu.Unlock()
	for path, n := range watched {
		if n != 1 || !strings.HasPrefix(path, "/v2/keys/herd/") {
			t.Errorf("%s was watched %d times", path, n)
		}
	}
}

// onSignal is a script that ends with an exit code of its own on a signal. It waits in a builtin, because a shell can lose a signal
// that arrives while it starts a program.
func onSignal(name string, code int) string {
	return fmt.Sprintf(`sleep 60 >/dev/null 2>&1 & trap "kill $!; exit %d" %s; echo begun $PANDO_LOCK_INDEX; wait`, code, name)
}

// TestLockEndsBySignal: the command gets SIGTERM, and the lock is released after it has ended.
func TestLockEndsBySignal(t *testing.T) {
	s := startPando(t)
	for _, test := range []struct {
		name, command string
		signal        syscall.Signal
		code          int
	}{
		{"a command that ends well", onSignal("TERM", 7), syscall.SIGTERM, 7},
		{"a command that is ended", "echo begun; exec sleep 60", syscall.SIGTERM, 128 + int(syscall.SIGTERM)},
		{"CTRL+C", onSignal("INT", 8), syscall.SIGINT, 8},
		{"no command", "", syscall.SIGTERM, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd := programs["ours"](t)
			cmd.Args = append(cmd.Args, "--endpoints", s.Client, "lock", "/s")
			if test.command != "" {
				cmd.Args = append(cmd.Args, "--", "sh", "-c", test.command)
			}
			cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"))
			var out lockedBuffer
			logOnFailure(t, &out)
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			servertest.Await(t, "the lock to be held", func() bool { return out.Len() > 0 })
			if err := cmd.Process.Signal(test.signal); err != nil {
				t.Fatal(err)
			}
			defer time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() }).Stop()
			_ = cmd.Wait() // the exit code is looked at
			if got := cmd.ProcessState.ExitCode(); got != test.code {
				t.Errorf("exit code %d, want %d: %s", got, test.code, out.String())
			}
			s.awaitQueue(t, "/s", 0)
		})
	}
}

func TestLockArguments(t *testing.T) {
	s := startPando(t)
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no name", []string{"lock"}, exitBadArguments, "needs a name"},
		{"no ttl", []string{"lock", "--ttl", "0", "/a"}, exitBadArguments, "--ttl"},
		{"no such command", []string{"lock", "/a", "--", "/no/such/program"}, exitBadArguments, "/no/such/program"},
		{"over a key", []string{"lock", "/key"}, exitServer, "104"},
		{"no value", []string{"elect", "/a"}, exitBadArguments, "needs a value"},
		{"no election", []string{"elect"}, exitBadArguments, "needs a name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.must(t, "set", "/key", "v")
			_, stderr, code := run(t, append([]string{"--endpoints", s.Client}, test.args...)...)
			if code != test.code || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, %q", code, stderr)
			}
		})
	}
}

// TestLostBeforeTheEnd: a key that can't be refreshed counts as lost before it expires.
func TestLostBeforeTheEnd(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, `{"action":"create","node":{"key":"/q/1","value":"v","modifiedIndex":1,"createdIndex":1}}`)
	}))
	defer s.Close()
	for seconds, grace := range map[int]time.Duration{3: 600 * time.Millisecond, 20: 4 * time.Second, 600: maxGrace} {
		t.Run(strconv.Itoa(seconds), func(t *testing.T) {
			for try := 1; !lostInTime(t, s.URL, seconds, grace); try++ {
				if try == 5 { // a busy machine may stop the client for longer than the grace
					t.Fatal("lost too late each time")
				}
			}
		})
	}
}

// lostInTime enqueues a key with a TTL in seconds, and checks when it counts as lost. It returns false if that was after the end of the
// TTL.
func lostInTime(t *testing.T, url string, seconds int, grace time.Duration) bool {
	t.Helper()
	began := time.Now()
	q, err := enqueue(t.Context(), testClient(t, url), "/q", "v", seconds, &lockedBuffer{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.lose(nil)
	if q.grace != grace {
		t.Errorf("it is lost %s before the end, want %s", q.grace, grace)
	}
	if seconds > 3 {
		return true
	}
	<-q.lost.Done()
	if err := context.Cause(q.lost); !errors.Is(err, errNotRefreshed) {
		t.Errorf("lost after %s of %s: %v", time.Since(began), q.ttl, err)
	}
	return time.Since(began) < q.ttl
}
