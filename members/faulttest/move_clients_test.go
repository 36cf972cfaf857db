package faulttest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pando/members/servertest"
)

// retryPause is how long a client waits before it is started again.
const retryPause = 50 * time.Millisecond

// seenEvent is an event that a client has printed.
type seenEvent struct {
	index              uint64
	action, key, value string
}

// watchingClient is a program that watches keys. It is started again whenever it ends, as a supervisor or a loop in a shell does it, and
// begins behind the last event that it has printed.
type watchingClient struct {
	name string
	// command returns the program that watches from an index on.
	command func(ctx context.Context, index uint64) *exec.Cmd
	// read reads an event from a line of its output.
	read func(line string) (seenEvent, error)

	mu     sync.Mutex
	next   uint64
	events []seenEvent
	errs   []error
}

// run keeps the client running until ctx ends.
func (w *watchingClient) run(ctx context.Context) {
	for ctx.Err() == nil {
		w.once(ctx)
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
		}
	}
}

// once runs the client until it ends.
func (w *watchingClient) once(ctx context.Context) {
	w.mu.Lock()
	cmd := w.command(ctx, w.next)
	w.mu.Unlock()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		w.add(seenEvent{}, err)
		return
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if line := lines.Text(); line != "" && line[0] != '[' { // etcdctl prints "[set] /key" before an event
			w.add(w.read(line))
		}
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait() // it fails while no server listens
}

func (w *watchingClient) add(e seenEvent, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.errs = append(w.errs, err)
		return
	}
	w.events = append(w.events, e)
	w.next = max(w.next, e.index+1)
}

// seen returns the events so far, in the order of their indexes: exec-watch does not wait for the command of one event before it
// starts that of the next.
func (w *watchingClient) seen() []seenEvent {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Clone(w.events)
	slices.SortFunc(all, func(a, b seenEvent) int { return int(a.index) - int(b.index) })
	return all
}

// readJSONEvent reads a line that is an event of the API.
func readJSONEvent(line string) (seenEvent, error) {
	var a servertest.KeyAnswer
	if err := json.Unmarshal([]byte(line), &a); err != nil || a.Node == nil {
		return seenEvent{}, fmt.Errorf("%q is no event: %w", line, err)
	}
	return seenEvent{a.Node.ModifiedIndex, a.Action, a.Node.Key, a.Node.Value}, nil
}

// readWords reads a line "INDEX ACTION KEY VALUE".
func readWords(line string) (e seenEvent, err error) {
	_, err = fmt.Sscan(line, &e.index, &e.action, &e.key, &e.value)
	return e, err
}

// legacyWatchers returns clients that watch all keys below /jobs from an index on.
func legacyWatchers(t *testing.T, url string, index uint64) []*watchingClient {
	t.Helper()
	etcdctl, curl := servertest.RequireProgram(t, "etcdctl", "etcd-client"), servertest.RequireProgram(t, "curl", "curl")
	v2 := func(ctx context.Context, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, etcdctl, append([]string{"--endpoints", url}, args...)...)
		cmd.Env = append(servertest.Environment(), "ETCDCTL_API=2")
		return cmd
	}
	poll := func(ctx context.Context, index uint64) *exec.Cmd {
		return exec.CommandContext(ctx, curl, "-sf", fmt.Sprintf("%s/v2/keys/jobs?wait=true&recursive=true&waitIndex=%d", url, index))
	}
	const echo = `echo "$ETCD_WATCH_MODIFIED_INDEX $ETCD_WATCH_ACTION $ETCD_WATCH_KEY $ETCD_WATCH_VALUE"`
	return []*watchingClient{
		{name: "etcdctl exec-watch", next: index, read: readWords, command: func(ctx context.Context, index uint64) *exec.Cmd {
			// etcdctl needs --recursive as the last of the flags here: otherwise it watches another key.
			return v2(ctx, "exec-watch", "--after-index", servertest.Itoa(index-1), "--recursive", "/jobs", "--", "sh", "-c", echo)
		}},
		{name: "etcdctl watch --forever", next: index, read: readJSONEvent, command: func(ctx context.Context, index uint64) *exec.Cmd {
			return v2(ctx, "-o", "json", "watch", "--forever", "--recursive", "--after-index", servertest.Itoa(index-1), "/jobs")
		}},
		{name: "curl with waitIndex", next: index, read: readJSONEvent, command: poll},
	}
}

// mustHaveSeen waits until the client has printed the events, and fails the test if it has printed another one or one of them twice.
func (w *watchingClient) mustHaveSeen(t *testing.T, want []seenEvent) {
	t.Helper()
	servertest.Await(t, w.name+" to see event "+want[len(want)-1].key, func() bool { return len(w.seen()) >= len(want) })
	if got := w.seen(); !slices.Equal(got, want) {
		t.Errorf("%s has seen\n%v\nwant\n%v", w.name, got, want)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.errs) > 0 {
		t.Errorf("%s: %v", w.name, w.errs)
	}
}

// lockScript holds a lock of python-etcd until its standard input ends. Each step prints a line.
const lockScript = `
import sys, threading, logging
import etcd
logging.disable(logging.CRITICAL)
port, ttl, stop = int(sys.argv[1]), 60, threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
client = etcd.Client(host="127.0.0.1", port=port, read_timeout=5)
lock = etcd.Lock(client, "job")
def say(*words):
    print(*words, flush=True)
lock.acquire(blocking=True, lock_ttl=ttl)
say("acquired", lock.lock_key)
client.write("/services/one", "up", ttl=ttl)
while not stop.wait(0.1):
    try:
        held = lock.acquire(blocking=False, lock_ttl=ttl)
        client.refresh("/services/one", ttl)
        say("held" if held else "lost", lock.lock_key)
    except etcd.EtcdConnectionFailed:
        say("unreachable")
    except Exception as e: # a server that stops or starts has the error 300, Raft Internal Error
        say("unreachable" if "Raft Internal Error" in str(e) else "error", repr(e))
lock.release()
say("released")
`

// lockHolder is a process that holds a lock, or waits for it.
type lockHolder struct {
	*servertest.Process
	stdin io.Closer
}

func startLockHolder(t *testing.T, python, addr string) *lockHolder {
	t.Helper()
	_, port, _ := strings.Cut(addr, ":")
	cmd := exec.Command(python, "-c", lockScript, port)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	return &lockHolder{servertest.StartCommand(t, cmd), stdin}
}

// steps returns how many lines begin with a word.
func (h *lockHolder) steps(word string) int {
	return strings.Count("\n"+h.Stdout.String(), "\n"+word)
}

// awaitSteps waits until the process has printed count more lines that begin with a word.
func (h *lockHolder) awaitSteps(t *testing.T, word string, count int) {
	t.Helper()
	before := h.steps(word)
	servertest.Await(t, "a lock holder to print "+word, func() bool {
		select {
		case <-h.Exited:
			t.Fatalf("it has ended: %v\n%s", h.Err, h.Stdout)
		default:
		}
		return h.steps(word) >= before+count
	})
}
