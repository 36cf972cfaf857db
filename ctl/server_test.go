package ctl

import (
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

func (b *builder) pando(t testing.TB) string {
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

// server is a running member, with the helpers of the client's tests.
type server struct {
	*servertest.Process
	launch func() *servertest.Process // starts the member, also after Kill
}

// startPando starts a Pando of one member.
func startPando(t *testing.T) *server {
	t.Helper()
	return startCluster(t, launchPando, "default")[0]
}

// startReference starts an etcd of one member.
func startReference(t *testing.T) *server {
	t.Helper()
	return startCluster(t, launchReference, "default")[0]
}

// launchPando is a servertest.Launcher of the built program.
func launchPando(m servertest.Member, t testing.TB, flags ...string) *servertest.Process {
	t.Helper()
	return m.StartCommand(t, exec.Command(buildOnce.pando(t), m.Flags(append(flags, "--log-level", "error")...)...))
}

// launchReference is a servertest.Launcher of etcd.
func launchReference(m servertest.Member, t testing.TB, flags ...string) *servertest.Process {
	t.Helper()
	return m.StartEtcd(t, append(flags, "--log-level", "error", "--logger", "zap")...)
}

// startCluster starts a member for each name, and waits until all of them serve and have published their names.
func startCluster(t *testing.T, launch servertest.Launcher, names ...string) []*server {
	t.Helper()
	all := servertest.NewMembers(t, names...)
	var cluster []*server
	for _, m := range all {
		start := func() *servertest.Process {
			return launch(m, t, "--initial-cluster", servertest.InitialCluster(all))
		}
		cluster = append(cluster, &server{start(), start})
	}
	for _, s := range cluster {
		s.awaitMembers(len(cluster))
	}
	return cluster
}

// restart starts a killed server of one member again, with its addresses and its data.
func (s *server) restart() {
	s.T.Helper()
	s.Process = s.launch()
	s.awaitMembers(1)
}

// awaitMembers waits until the server serves in a cluster of n, and all of them have published their names.
func (s *server) awaitMembers(n int) {
	s.T.Helper()
	servertest.AwaitPublished(s.T, s.Client, n)
	servertest.Await(s.T, "a healthy server at "+s.Client, func() bool {
		var answer struct{ Health string }
		_, err := servertest.GetJSON(s.Client+"/health", &answer)
		return err == nil && answer.Health == "true"
	})
}

// members lists the members of the cluster.
func (s *server) members() ([]client.Member, error) {
	var list struct{ Members []client.Member }
	_, err := servertest.GetJSON(s.Client+"/v2/members", &list)
	return list.Members, err
}

// index is the server's X-Etcd-Index.
func (s *server) index() uint64 {
	s.T.Helper()
	return servertest.NewKeyClient(s.T, s.Client).Must(s.T, http.MethodGet, "/", nil).EtcdIndex
}

// testClient is a client for one endpoint.
func testClient(t *testing.T, endpoint string) *client.Client {
	t.Helper()
	urls, err := client.ParseEndpoints(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return client.New(client.Config{Endpoints: urls, HeaderTimeout: 5 * time.Second})
}

// closingServer accepts connections, calls use for each, and closes it. It returns its address.
func closingServer(t *testing.T, use func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			use(c)
			c.Close()
		}
	}()
	return l.Addr().String()
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

// logOnFailure shows what a client has printed if the test fails.
func logOnFailure(t *testing.T, outputs ...*lockedBuffer) {
	t.Cleanup(func() {
		for _, output := range outputs {
			if t.Failed() {
				t.Logf("the client printed\n%s", output)
			}
		}
	})
}
