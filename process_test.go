package main

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

// runTests runs the tests of a package that start servers, in the module's root, where testdata and docs are. In a
// process that start has started it is program instead.
func runTests(m *testing.M, program func() int) {
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

// requireProgram finds one that a test needs, or skips the test; where CI runs the tests, it has to be there.
func requireProgram(t testing.TB, name, debianPackage string) string {
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

// patience bounds the wait for anything that must come, on a busy machine too.
const patience = time.Minute

// process is a server in a process of its own.
type process struct {
	t       testing.TB
	dataDir string
	client  string // client URL
	peer    string // peer URL
	cmd     *exec.Cmd
	stdout  *output
	stderr  *output
	exited  chan struct{}
	err     error // of the process; valid once exited is closed
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

// launch starts a server and waits until it serves. It is killed at the end of the test.
func launch(t testing.TB, dataDir string, flags ...string) *process {
	t.Helper()
	p := spawn(t, dataDir, flags...)
	p.awaitServing()
	return p
}

// spawn starts a server on ports that the system chooses and waits for nothing.
func spawn(t testing.TB, dataDir string, flags ...string) *process {
	t.Helper()
	return start(t, dataDir, exec.Command(os.Args[0], append([]string{
		"--data-dir", dataDir,
		"--listen-client-urls", "http://127.0.0.1:0", "--advertise-client-urls", "http://127.0.0.1:2379",
		"--listen-peer-urls", "http://127.0.0.1:0",
	}, flags...)...))
}

// start starts the command as a server, with settings in its environment.
func start(t testing.TB, dataDir string, cmd *exec.Cmd, environment ...string) *process {
	t.Helper()
	p := &process{t: t, dataDir: dataDir, cmd: cmd, stdout: &output{}, stderr: &output{}, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.stdout, p.stderr
	cmd.Env = append(append(transcriptEnvironment(), asServer+"=1"), environment...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		text := p.stderr.String()
		switch {
		case strings.Contains(text, "panic") || strings.Contains(text, "DATA RACE"):
			t.Errorf("the server said\n%s", text)
		case t.Failed():
			t.Logf("the server said at the end\n%s", text[max(0, len(text)-4000):])
		}
	})
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p
}

// awaitServing waits for the banner, which has the URLs in it and is printed when the sockets are served.
func (p *process) awaitServing() {
	p.t.Helper()
	await(p.t, "the server to serve", func() bool {
		select {
		case <-p.exited:
			p.t.Fatalf("the server ended: %v\n%s", p.err, p.stderr)
		default:
		}
		text := p.stdout.String() // once: it may grow between two looks
		lines := bufio.NewScanner(strings.NewReader(text))
		for lines.Scan() {
			if what, url, ok := strings.Cut(strings.TrimSpace(lines.Text()), " "); ok {
				switch url = strings.TrimSpace(url); what {
				case "clients":
					p.client = url
				case "peers":
					p.peer = url
				}
			}
		}
		return strings.Contains(text, "Try it:")
	})
}

// await polls until done, and fails the test when that takes too long.
func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// addr is the host and port of the client URL.
func (p *process) addr() string { return urlHost(p.client) }

// kill ends the process as kill -9 does and waits for its end. It may have ended before.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error says that it has ended
	<-p.exited
}

// terminate asks the process to shut down, and waits for it. It returns how long that took.
func (p *process) terminate() time.Duration {
	p.t.Helper()
	begin := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	p.awaitExit()
	return time.Since(begin)
}

// awaitExit waits until the process has ended and returns its exit code.
func (p *process) awaitExit() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("the server did not end within %v\n%s", patience, p.stderr)
	}
	if p.err == nil {
		return 0
	}
	var exit *exec.ExitError
	if !errors.As(p.err, &exit) {
		p.t.Fatal(p.err)
	}
	return exit.ExitCode()
}

// fds counts the open files of the process.
func (p *process) fds() int {
	files, err := os.ReadDir(filepath.Join("/proc", itoa(p.cmd.Process.Pid), "fd"))
	if err != nil {
		p.t.Fatal(err)
	}
	return len(files)
}

// memory is the resident memory of the process in bytes.
func (p *process) memory() int64 {
	status, err := os.ReadFile(filepath.Join("/proc", itoa(p.cmd.Process.Pid), "status"))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	text, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return atoi(p.t, text) << 10
}

// goroutines is the server's count of goroutines; it needs --enable-pprof.
func (p *process) goroutines() int {
	p.t.Helper()
	profile := p.get("/debug/pprof/goroutine?debug=1")
	_, rest, _ := strings.Cut(profile, "total ")
	text, _, _ := strings.Cut(rest, "\n")
	return int(atoi(p.t, text))
}

// get reads a path of the client URL on a connection of its own.
func (p *process) get(path string) string {
	p.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	answer, err := client.Get(p.client + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(body)
}

// signal sends a signal to the process.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// selfStats is what a member says of itself.
type selfStats struct {
	State      string
	LeaderInfo struct{ Leader string }
}

// selfPatience bounds the question to a member that may be down.
const selfPatience = 1500 * time.Millisecond

// self asks a member what it is. The answer is empty if none comes.
func (p *process) self() (self selfStats) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: selfPatience}
	response, err := client.Get(p.client + "/v2/stats/self")
	if err != nil {
		return self
	}
	defer response.Body.Close()
	if json.NewDecoder(response.Body).Decode(&self) != nil {
		return selfStats{}
	}
	return self
}

// watchers is the number of watchers that the server counts.
func (p *process) watchers() int {
	p.t.Helper()
	var counts struct{ Watchers int }
	if err := json.Unmarshal([]byte(p.get("/v2/stats/store")), &counts); err != nil {
		p.t.Fatal(err)
	}
	return counts.Watchers
}

// footprint is what a server holds.
type footprint struct {
	goroutines, fds int
}

func (p *process) footprint() footprint {
	p.get("/version") // whatever the first request brings about is there now
	return footprint{p.goroutines(), p.fds()}
}

// mustReturnTo waits until the server holds no more than before.
func (p *process) mustReturnTo(t *testing.T, before footprint) {
	t.Helper()
	var now footprint
	await(t, "goroutines and files to be given back", func() bool {
		now = footprint{p.goroutines(), p.fds()}
		return now.goroutines <= before.goroutines+1 && now.fds <= before.fds+1 // the idle connection that asked
	})
}
