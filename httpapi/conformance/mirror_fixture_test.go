package conformance

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"

	"pando/members/servertest"
	"pando/tree"
)

// etcdFront is a server in front of etcd. Members that follow the etcd reach it through this server, which keeps the last response.
type etcdFront struct {
	*httptest.Server
	requests atomic.Int64 // that have arrived
	fenced   atomic.Bool  // no request may arrive
	breaks   atomic.Bool  // the connection of a request is closed after etcd has answered

	mu   sync.Mutex
	last forwardedAnswer
}

// forwardedAnswer is a response as the tests compare it.
type forwardedAnswer struct {
	status      int
	index, kind string // X-Etcd-Index and Content-Type
	body        string
}

func newEtcdFront(t *testing.T, etcd string) *etcdFront {
	t.Helper()
	target, err := url.Parse(etcd)
	if err != nil {
		t.Fatal(err)
	}
	f := &etcdFront{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.URL.RawQuery = r.In.URL.RawQuery
		},
		ModifyResponse: func(resp *http.Response) error {
			body, err := io.ReadAll(resp.Body)
			resp.Body = io.NopCloser(bytes.NewReader(body))
			f.mu.Lock()
			defer f.mu.Unlock()
			f.last = forwardedAnswer{resp.StatusCode, resp.Header.Get("X-Etcd-Index"), resp.Header.Get("Content-Type"), string(body)}
			return err
		},
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.requests.Add(1)
		if f.fenced.Load() {
			t.Errorf("%s %s was forwarded after all members had reported that nothing would be", r.Method, r.URL)
		}
		if f.breaks.Load() {
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

func (f *etcdFront) lastResponse() forwardedAnswer {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// mirroredCluster is an etcd, and a cluster that follows it.
type mirroredCluster struct {
	t       *testing.T
	login   string // of the requests of state, change and follow; empty without users
	etcd    string // client URL
	front   *etcdFront
	members []*servertest.Process
}

// newMirroredCluster starts an etcd, calls fill with its client URL, imports a copy of its data directory, and starts members with these
// names. The members do not follow the etcd before follow, and refuse writes. With users the login must be that of root.
func newMirroredCluster(t *testing.T, login string, fill func(etcd string), names ...string) *mirroredCluster {
	t.Helper()
	source := servertest.NewMembers(t, "default")[0]
	source.StartEtcd(t, "--initial-cluster", servertest.InitialCluster([]servertest.Member{source}))
	servertest.AwaitPublished(t, source.ClientURL(), 1)
	c := &mirroredCluster{t: t, login: login, etcd: source.ClientURL()}
	fill(c.etcd)
	imported := t.TempDir()
	if err := os.CopyFS(imported, os.DirFS(source.DataDir)); err != nil {
		t.Fatal(err)
	}
	all := servertest.NewMembers(t, names...)
	for _, m := range all {
		p := servertest.StartCommand(t, exec.Command(os.Args[0], "import-etcd", imported, "--follow", "--data-dir", m.DataDir, "--name", m.Name,
			"--initial-advertise-peer-urls", m.PeerURL(), "--initial-cluster", servertest.InitialCluster(all)))
		if code := p.AwaitExit(); code != 0 {
			t.Fatalf("import-etcd ended with %d:\n%s", code, p.Stderr)
		}
	}
	for _, m := range all {
		c.members = append(c.members, m.StartPando(t))
	}
	for _, p := range c.members {
		p.AwaitServing()
	}
	c.front = newEtcdFront(t, c.etcd)
	return c
}

// state returns the state of a member.
func (c *mirroredCluster) state(member *servertest.Process) (state tree.MirrorState) {
	c.t.Helper()
	if err := json.Unmarshal([]byte(mustAs(c.t, c.login, "GET", member.Client+"/v2/mirror", "")), &state); err != nil {
		c.t.Fatal(err)
	}
	return state
}

// change changes the mirror at its index, which may move meanwhile.
func (c *mirroredCluster) change(m tree.MirrorChange) {
	c.t.Helper()
	servertest.Await(c.t, "the change of the mirror", func() bool {
		m.After = c.state(c.members[0]).Index
		to := m
		to.To += m.After
		text, err := json.Marshal(&to)
		if err != nil {
			c.t.Fatal(err)
		}
		got := sendAs(c.t, c.login, "POST", c.members[0].Client+"/v2/mirror", string(text))
		if got.status != http.StatusOK && got.status != http.StatusPreconditionFailed {
			c.t.Fatalf("%s: %d %s", text, got.status, got.body)
		}
		return got.status == http.StatusOK
	})
}

// follow makes the members forward writes through the front, and starts pando migrate.
func (c *mirroredCluster) follow() *servertest.Process {
	c.t.Helper()
	c.change(tree.MirrorChange{Sources: []string{c.front.URL}, ForwardWrites: new(true)})
	args := []string{"migrate", "--from", c.etcd, "--to", c.members[0].Client}
	if c.login != "" {
		args = append(args, "--from-user", c.login, "--username", c.login)
	}
	return servertest.StartCommand(c.t, exec.Command(os.Args[0], args...))
}
