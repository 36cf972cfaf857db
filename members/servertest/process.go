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

// Timeout bounds each wait for something that must happen. It is long enough for a busy machine.
const Timeout = time.Minute

// Process is a server, or another program, that runs in a process of its own.
type Process struct {
	Client string // client URL
	Peer   string // peer URL

	// MemberID and ClusterID are set by StartSingle and Attach alone, as the server writes them: in hexadecimal.
	MemberID, ClusterID string

	T      testing.TB
	Cmd    *exec.Cmd // nil after Attach: the process belongs to somebody else
	Stdout *output
	Stderr *output
	Exited chan struct{} // closed when the process has ended
	Err    error         // of the process; valid once Exited is closed
}

// output collects what a process prints. It may be read while the process runs.
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

// Launch starts Pando, as Start does, and waits until it serves clients.
func Launch(t testing.TB, dataDir string, flags ...string) *Process {
	t.Helper()
	p := Start(t, dataDir, flags...)
	p.AwaitServing()
	return p
}

// Start starts Pando as the only member of a cluster, with the name and the IDs of a server without flags. It does not
// wait. The system chooses the ports: Client and Peer are known after AwaitServing. Later flags replace earlier ones.
func Start(t testing.TB, dataDir string, flags ...string) *Process {
	t.Helper()
	return StartCommand(t, exec.Command(os.Args[0], append([]string{
		"--data-dir", dataDir,
		"--listen-client-urls", "http://127.0.0.1:0", "--advertise-client-urls", "http://127.0.0.1:2379",
		"--listen-peer-urls", "http://127.0.0.1:0",
	}, flags...)...))
}

// StartCommand starts any command, with additional variables in its environment. If the command runs the test binary,
// that runs the program which was given to Main. The process is killed at the end of the test. A data race or a panic
// in it fails the test.
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
			t.Logf("the process printed at its end\n%s", text[max(0, len(text)-4000):])
		}
	})
	go func() {
		p.Err = cmd.Wait()
		close(p.Exited)
	}()
	return p
}

// Environment returns the environment of the tests without settings of servers.
func Environment() []string {
	var environment []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ETCD_") && !strings.HasPrefix(v, "PANDO_") {
			environment = append(environment, v)
		}
	}
	return environment
}

// AwaitServing waits for the banner of Pando. The banner is printed when the sockets are served, and it names the URLs.
func (p *Process) AwaitServing() {
	p.T.Helper()
	Await(p.T, "the server to serve", func() bool {
		p.mustRun()
		text := p.Stdout.String() // read once: it may grow between two reads
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

// mustRun fails the test if the process has ended.
func (p *Process) mustRun() {
	p.T.Helper()
	select {
	case <-p.Exited:
		p.T.Fatalf("the server ended: %v\n%s", p.Err, p.Stderr)
	default:
	}
}

// Await polls until done returns true, and fails the test after Timeout. The text names the awaited event.
func Await(t testing.TB, event string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(Timeout)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", Timeout, event)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// Signal sends a signal to the process.
func (p *Process) Signal(s syscall.Signal) {
	p.T.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil {
		p.T.Fatal(err)
	}
}

// Kill ends the process as kill -9 does, and waits for its end. It does nothing if the process has ended.
func (p *Process) Kill() {
	_ = p.Cmd.Process.Kill() // the error is that the process has ended
	<-p.Exited
}

// Terminate sends SIGTERM to the process and waits for its end. It returns how long that took.
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
		_ = p.Cmd.Process.Signal(syscall.SIGQUIT) // the error is that the process has just ended
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
