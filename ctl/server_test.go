package ctl

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pando/ctl/client"
	"pando/members/servertest"
)

// builder builds the server once for all tests of the package.
type builder struct {
	once sync.Once
	dir  string
	err  error
}

var buildOnce builder

func (b *builder) pando(t *testing.T) string {
	t.Helper()
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "pando-ctl-"); b.err != nil {
			return
		}
		build := exec.Command("go", "build", "-o", filepath.Join(b.dir, "pando"), "..")
		// The race detector asks for cgo, and the server has no race detector: with the default of CGO_ENABLED, the packages
		// are in the build cache already.
		build.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "CGO_ENABLED=") })
		out, err := build.CombinedOutput()
		if err != nil {
			b.err = errors.New(string(out) + err.Error())
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return filepath.Join(b.dir, "pando")
}

func (b *builder) remove() {
	if b.dir != "" {
		os.RemoveAll(b.dir)
	}
}

// server is a member that runs as a process of its own.
type server struct {
	t       *testing.T
	command []string
	url     string // of clients
	peerURL string
	process *exec.Cmd
	log     string // file with what the process prints
}

// startPando starts a Pando of one member on free ports.
func startPando(t *testing.T) *server {
	t.Helper()
	s := newServer(t)
	s.command = s.pandoCommand()
	s.start()
	return s
}

func (s *server) pandoCommand(more ...string) []string {
	return append([]string{
		buildOnce.pando(s.t), "--data-dir", s.t.TempDir(), "--log-level", "error",
		"--listen-client-urls", s.url, "--advertise-client-urls", s.url,
		"--listen-peer-urls", s.peerURL, "--initial-advertise-peer-urls", s.peerURL,
	}, more...)
}

// startReference starts an etcd of one member on free ports. See reference for where etcd is not installed.
func startReference(t *testing.T) *server {
	t.Helper()
	reference(t, "etcd")
	s := newServer(t)
	s.command = s.referenceCommand("--initial-cluster", "default="+s.peerURL)
	s.start()
	return s
}

func (s *server) referenceCommand(more ...string) []string {
	return append([]string{
		reference(s.t, "etcd"), "--enable-v2", "--data-dir", s.t.TempDir(), "--log-level", "error", "--logger", "zap",
		"--listen-client-urls", s.url, "--advertise-client-urls", s.url,
		"--listen-peer-urls", s.peerURL, "--initial-advertise-peer-urls", s.peerURL,
	}, more...)
}

// reference finds a program of the reference. Without it the test is skipped; in CI it fails.
func reference(t *testing.T, name string) string {
	t.Helper()
	return servertest.RequireProgram(t, name, map[string]string{"etcd": "etcd-server", "etcdctl": "etcd-client"}[name])
}

func newServer(t *testing.T) *server {
	s := &server{t: t, url: "http://" + servertest.FreeAddr(t), peerURL: "http://" + servertest.FreeAddr(t)}
	t.TempDir() // its removal is registered now, so that it happens after the kill
	t.Cleanup(s.kill)
	return s
}

// start starts the process and waits until it serves and has published its name.
func (s *server) start() {
	s.t.Helper()
	s.launch()
	s.awaitMembers(1)
}

// launch starts the process.
func (s *server) launch() {
	s.t.Helper()
	s.process = exec.Command(s.command[0], s.command[1:]...)
	s.process.Env = append(os.Environ(), "ETCD_UNSUPPORTED_ARCH=amd64")
	log, err := os.CreateTemp(s.t.TempDir(), "log")
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.log = log.Name()
}

// awaitMembers waits until the server serves in a cluster of n, and all of them have published their names.
func (s *server) awaitMembers(n int) {
	s.t.Helper()
	eventually(s.t, "the server serves", func() bool {
		list, err := s.members()
		unpublished := func(m client.Member) bool { return len(m.ClientURLs) == 0 }
		return err == nil && len(list) == n && !slices.ContainsFunc(list, unpublished) && s.healthy()
	}, func() string { data, _ := os.ReadFile(s.log); return string(data) })
}

// kill ends the process with SIGKILL.
func (s *server) kill() {
	if s.process != nil {
		s.process.Process.Kill()
		s.process.Wait()
		s.process = nil
	}
}

func (s *server) healthy() bool {
	body, _, err := s.get("/health")
	return err == nil && strings.Contains(body, "true")
}

// members lists the members of the cluster.
func (s *server) members() ([]client.Member, error) {
	body, _, err := s.get("/v2/members")
	if err != nil {
		return nil, err
	}
	var list struct{ Members []client.Member }
	err = json.Unmarshal([]byte(body), &list)
	return list.Members, err
}

// index is the server's X-Etcd-Index.
func (s *server) index() uint64 {
	s.t.Helper()
	_, header, err := s.get("/v2/keys/")
	if err != nil {
		s.t.Fatal(err)
	}
	n, err := strconv.ParseUint(header.Get("X-Etcd-Index"), 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *server) get(path string) (string, http.Header, error) {
	response, err := testHTTP.Get(s.url + path)
	if err != nil {
		return "", nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), response.Header, err
}

// testHTTP ignores the proxies of the environment.
var (
	testTransport = &http.Transport{}
	testHTTP      = &http.Client{Transport: testTransport, Timeout: 10 * time.Second}
)

// testClient is a client for one endpoint.
func testClient(t *testing.T, endpoint string) *client.Client {
	t.Helper()
	urls, err := client.ParseEndpoints(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return client.New(client.Config{Endpoints: urls, HeaderTimeout: 5 * time.Second})
}

// lockedBuffer collects output, and may be read while a process or goroutine writes to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Len is the number of bytes that were written.
func (b *lockedBuffer) Len() int { return len(b.String()) }

// eventually polls until done returns true. explain adds to the message of a failure.
func eventually(t *testing.T, what string, done func() bool, explain func() string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s\n%s", what, explain())
		}
		<-time.After(5 * time.Millisecond)
	}
}
