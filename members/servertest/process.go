package servertest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The tests that need a real process run the test binary itself as the server: it holds the whole program, is
// built already, and has the race detector in it when the tests have.

// asServer is the environment variable that makes the test binary the program instead of its tests.
const asServer = "TEST_BINARY_IS_THE_SERVER"

// Main runs the tests of a package that start servers, in the module's root, where testdata and docs are. In a
// process that start has started it is program instead.
func Main(m *testing.M, program func() int) {
	if os.Getenv(asServer) != "" {
		os.Exit(program())
	}
	if err := os.Chdir(moduleRoot()); err != nil {
		panic(err)
	}
	// The settings of whoever runs the tests are not theirs.
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); configures(name) {
			os.Unsetenv(name)
		}
	}
	os.Exit(m.Run())
}

// RequireProgram finds one that a test needs, or skips the test; where CI runs the tests, it has to be there.
func RequireProgram(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is not on the PATH, and CI must try it: install %s", name, debianPackage)
	}
	t.Skipf("%s is not on the PATH: install %s", name, debianPackage)
	return ""
}

// configures reports whether a variable of the environment would configure a server or a client.
func configures(name string) bool {
	return strings.HasPrefix(name, "ETCD_") || strings.HasPrefix(name, "PANDO_") || strings.HasPrefix(name, "ETCDCTL_")
}

// moduleRoot is the nearest directory above the tests that holds a go.mod.
func moduleRoot() string {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	panic("the tests run outside of the module")
}

// Patience bounds the wait for anything that must come, on a busy machine too.
const Patience = time.Minute

// Process is a server in a process of its own.
type Process struct {
	T       testing.TB
	dataDir string
	Client  string // client URL
	Peer    string // peer URL
	Cmd     *exec.Cmd
	Stdout  *output
	Stderr  *output
	Exited  chan struct{}
	Err     error // of the process; valid once exited is closed
}

// output collects what a process prints.
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

// Launch starts a server and waits until it serves. It is killed at the end of the test.
func Launch(t testing.TB, dataDir string, flags ...string) *Process {
	t.Helper()
	p := Spawn(t, dataDir, flags...)
	p.AwaitServing()
	return p
}

// Spawn starts a server on ports that the system chooses and waits for nothing.
func Spawn(t testing.TB, dataDir string, flags ...string) *Process {
	t.Helper()
	return Start(t, dataDir, exec.Command(os.Args[0], append([]string{
		"--data-dir", dataDir,
		"--listen-client-urls", "http://127.0.0.1:0", "--advertise-client-urls", "http://127.0.0.1:2379",
		"--listen-peer-urls", "http://127.0.0.1:0",
	}, flags...)...))
}

// Start starts the command as a server, with settings in its environment.
func Start(t testing.TB, dataDir string, cmd *exec.Cmd, environment ...string) *Process {
	t.Helper()
	p := &Process{T: t, dataDir: dataDir, Cmd: cmd, Stdout: &output{}, Stderr: &output{}, Exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.Stdout, p.Stderr
	cmd.Env = append(append(Environment(), asServer+"=1"), environment...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		text := p.Stderr.String()
		switch {
		case strings.Contains(text, "panic") || strings.Contains(text, "DATA RACE"):
			t.Errorf("the server said\n%s", text)
		case t.Failed():
			t.Logf("the server said at the end\n%s", text[max(0, len(text)-4000):])
		}
	})
	go func() {
		p.Err = cmd.Wait()
		close(p.Exited)
	}()
	return p
}

// AwaitServing waits for the banner, which has the URLs in it and is printed when the sockets are served.
func (p *Process) AwaitServing() {
	p.T.Helper()
	Await(p.T, "the server to serve", func() bool {
		select {
		case <-p.Exited:
			p.T.Fatalf("the server ended: %v\n%s", p.Err, p.Stderr)
		default:
		}
		text := p.Stdout.String() // once: it may grow between two looks
		lines := bufio.NewScanner(strings.NewReader(text))
		for lines.Scan() {
			if what, url, ok := strings.Cut(strings.TrimSpace(lines.Text()), " "); ok {
				switch url = strings.TrimSpace(url); what {
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

// Await polls until done, and fails the test when that takes too long.
func Await(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", Patience, what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// Addr is the host and port of the client URL.
func (p *Process) Addr() string { return URLHost(p.Client) }

// Kill ends the process as kill -9 does and waits for its end. It may have ended before.
func (p *Process) Kill() {
	_ = p.Cmd.Process.Kill() // an error says that it has ended
	<-p.Exited
}

// Terminate asks the process to shut down, and waits for it. It returns how long that took.
func (p *Process) Terminate() time.Duration {
	p.T.Helper()
	begin := time.Now()
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.T.Fatal(err)
	}
	p.AwaitExit()
	return time.Since(begin)
}

// AwaitExit waits until the process has ended and returns its exit code.
func (p *Process) AwaitExit() int {
	p.T.Helper()
	select {
	case <-p.Exited:
	case <-time.After(Patience):
		// What its goroutines wait for says why. An error says that it has just ended.
		_ = p.Cmd.Process.Signal(syscall.SIGQUIT)
		select {
		case <-p.Exited:
		case <-time.After(Patience):
		}
		p.T.Fatalf("the server did not end within %v\n%s", Patience, p.Stderr)
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

// Fds counts the open files of the process.
func (p *Process) Fds() int {
	files, err := os.ReadDir(filepath.Join("/proc", Itoa(p.Cmd.Process.Pid), "fd"))
	if err != nil {
		p.T.Fatal(err)
	}
	return len(files)
}

// Memory is the resident memory of the process in bytes.
func (p *Process) Memory() int64 {
	status, err := os.ReadFile(filepath.Join("/proc", Itoa(p.Cmd.Process.Pid), "status"))
	if err != nil {
		p.T.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	text, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return Atoi(p.T, text) << 10
}

// Goroutines is the server's count of goroutines; it needs --enable-pprof.
func (p *Process) Goroutines() int {
	p.T.Helper()
	profile := p.Get("/debug/pprof/goroutine?debug=1")
	_, rest, _ := strings.Cut(profile, "total ")
	text, _, _ := strings.Cut(rest, "\n")
	return int(Atoi(p.T, text))
}

// Get reads a path of the client URL on a connection of its own.
func (p *Process) Get(path string) string {
	p.T.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: Patience}
	answer, err := client.Get(p.Client + path)
	if err != nil {
		p.T.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		p.T.Fatal(err)
	}
	return string(body)
}

// Signal sends a signal to the process.
func (p *Process) Signal(s syscall.Signal) {
	p.T.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil {
		p.T.Fatal(err)
	}
}

// selfStats is what a member says of itself.
type selfStats struct {
	State      string
	LeaderInfo struct{ Leader string }
}

// selfPatience bounds the question to a member that may be down.
const selfPatience = 1500 * time.Millisecond

// Self asks a member what it is. The answer is empty if none comes.
func (p *Process) Self() (self selfStats) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: selfPatience}
	response, err := client.Get(p.Client + "/v2/stats/self")
	if err != nil {
		return self
	}
	defer response.Body.Close()
	if json.NewDecoder(response.Body).Decode(&self) != nil {
		return selfStats{}
	}
	return self
}

// Watchers is the number of watchers that the server counts.
func (p *Process) Watchers() int {
	p.T.Helper()
	var counts struct{ Watchers int }
	if err := json.Unmarshal([]byte(p.Get("/v2/stats/store")), &counts); err != nil {
		p.T.Fatal(err)
	}
	return counts.Watchers
}

// Footprint is what a server holds.
type Footprint struct {
	Goroutines, Fds int
}

func (p *Process) Footprint() Footprint {
	p.Get("/version") // whatever the first request brings about is there now
	return Footprint{p.Goroutines(), p.Fds()}
}

// MustReturnTo waits until the server holds no more than before.
func (p *Process) MustReturnTo(t *testing.T, before Footprint) {
	t.Helper()
	var now Footprint
	Await(t, "goroutines and files to be given back", func() bool {
		now = Footprint{p.Goroutines(), p.Fds()}
		return now.Goroutines <= before.Goroutines+1 && now.Fds <= before.Fds+1 // the idle connection that asked
	})
}
