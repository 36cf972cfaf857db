package servertest

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Timeout is how long tests wait for an event that must happen. It is long enough for a busy machine.
const Timeout = time.Minute

// Process is a server or another program under test.
type Process struct {
	Client string // client URL
	Peer   string // peer URL

	// MemberID and ClusterID are hexadecimal, as in the API. Only StartSingle and Attach set them.
	MemberID, ClusterID string

	T      testing.TB
	Cmd    *exec.Cmd // nil after Attach, which does not start the process
	Stdout *output
	Stderr *output
	Exited chan struct{} // closed when the process has ended
	Err    error         // the result of Cmd.Wait; set before Exited is closed
}

// output collects the output of a process. Any goroutine may read it at any time.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Launch calls Start and waits until the server serves clients. A Launcher, in contrast, does not wait.
func Launch(t testing.TB, dataDir string, flags ...string) *Process {
	t.Helper()
	p := Start(t, dataDir, flags...)
	p.AwaitServing()
	return p
}

// Start starts Pando as the only member of a cluster. Its name and IDs are those of a server without flags. Start does not
// wait until the server serves. The system chooses the ports: AwaitServing sets Client and Peer. A flag in flags replaces
// the same flag that Start sets.
func Start(t testing.TB, dataDir string, flags ...string) *Process {
	t.Helper()
	return StartCommand(t, exec.Command(os.Args[0], append([]string{
		"--data-dir", dataDir,
		"--listen-client-urls", "http://127.0.0.1:0", "--advertise-client-urls", "http://127.0.0.1:2379",
		"--listen-peer-urls", "http://127.0.0.1:0",
	}, flags...)...))
}

// StartCommand starts a command, with additional variables in its environment. If the command is the test binary, it runs
// the program that was passed to Main. The process is killed at the end of the test. The test fails if the process has
// printed a panic or a data race.
func StartCommand(t testing.TB, cmd *exec.Cmd, environment ...string) *Process {
	t.Helper()
	p := &Process{T: t, Cmd: cmd, Stdout: &output{}, Stderr: &output{}, Exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.Stdout, p.Stderr
	cmd.Env = append(append(Environment(), runProgram+"=1"), environment...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		text := p.Stderr.String()
		switch {
		case strings.Contains(text, "panic") || strings.Contains(text, "DATA RACE"):
			t.Errorf("the process printed\n%s", text)
		case t.Failed():
			t.Logf("the last output of the process was\n%s", text[max(0, len(text)-4000):])
		}
	})
	go func() {
		p.Err = cmd.Wait()
		close(p.Exited)
	}()
	return p
}

// Environment returns the environment of the test process without the settings of servers.
func Environment() []string {
	var environment []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ETCD_") && !strings.HasPrefix(v, "PANDO_") {
			environment = append(environment, v)
		}
	}
	return environment
}

// AwaitServing waits for the banner of Pando, and sets Client and Peer to the URLs in it. Pando prints the banner when it
// serves clients and peers.
func (p *Process) AwaitServing() {
	p.T.Helper()
	Await(p.T, "the server to serve", func() bool {
		p.mustBeRunning()
		text := p.Stdout.String() // a copy: the output grows
		lines := bufio.NewScanner(strings.NewReader(text))
		for lines.Scan() {
			if name, url, ok := strings.Cut(strings.TrimSpace(lines.Text()), " "); ok {
				switch url = strings.TrimSpace(url); name {
				case "clients":
					p.Client = url
				case "peers":
					p.Peer = url
				}
			}
		}
		return strings.Contains(text, "Try it:")
	})
}

// mustBeRunning fails the test if the process has ended.
func (p *Process) mustBeRunning() {
	p.T.Helper()
	select {
	case <-p.Exited:
		p.T.Fatalf("the server has ended: %v\n%s", p.Err, p.Stderr)
	default:
	}
}

// Await polls until done returns true. It fails the test after Timeout. event is the text for the failure.
func Await(t testing.TB, event string, done func() bool) {
	t.Helper()
	AwaitEvery(t, 2*time.Millisecond, event, done)
}

// AwaitEvery is Await with a chosen pause between the calls of done. A call may be expensive.
func AwaitEvery(t testing.TB, pause time.Duration, event string, done func() bool) {
	t.Helper()
	if !Poll(Timeout, pause, done) {
		t.Fatalf("waited %v for %s", Timeout, event)
	}
}

// Poll calls done until it returns true, and returns true then. It returns false if that is not so after the timeout. Any goroutine may
// call it.
func Poll(timeout, pause time.Duration, done func() bool) bool {
	for deadline := time.Now().Add(timeout); !done(); <-time.After(pause) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// Signal sends a signal to the process.
func (p *Process) Signal(s syscall.Signal) {
	p.T.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil {
		p.T.Fatal(err)
	}
}

// Kill sends SIGKILL to the process and waits until it has ended. It does nothing if the process has ended already.
func (p *Process) Kill() {
	_ = p.Cmd.Process.Kill() // fails only if the process has ended
	<-p.Exited
}

// Terminate sends SIGTERM to the process and waits until it has ended. It returns the time that this took.
func (p *Process) Terminate() time.Duration {
	p.T.Helper()
	begin := time.Now()
	p.Signal(syscall.SIGTERM)
	p.AwaitExit()
	return time.Since(begin)
}

// AwaitExit waits until the process has ended and returns its exit code. After Timeout it fails the test and shows the
// stacks of all goroutines of the process.
func (p *Process) AwaitExit() int {
	p.T.Helper()
	select {
	case <-p.Exited:
	case <-time.After(Timeout):
		_ = p.Cmd.Process.Signal(syscall.SIGQUIT) // fails only if the process has ended
		select {
		case <-p.Exited:
		case <-time.After(Timeout):
		}
		p.T.Fatalf("the process did not end within %v\n%s", Timeout, p.Stderr)
	}
	if p.Err == nil {
		return 0
	}
	var exit *exec.ExitError
	if !errors.As(p.Err, &exit) {
		p.T.Fatal(p.Err)
	}
	return exit.ExitCode()
}
