package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// mirroredCluster is an etcd with users and auth enabled, and three members that follow it.
type mirroredCluster struct {
	t       *testing.T
	etcd    string // client URL
	front   *etcdFront
	members []*servertest.Process
	stop    context.CancelFunc // ends the mirror
	done    sync.WaitGroup
}

// newMirroredCluster starts an etcd, imports a copy of its data directory, and starts three members. The members forward writes.
func newMirroredCluster(t *testing.T) *mirroredCluster {
	t.Helper()
	source := servertest.NewMembers(t, "default")[0]
	source.StartEtcd(t, "--initial-cluster", servertest.InitialCluster([]servertest.Member{source}))
	servertest.AwaitPublished(t, source.ClientURL(), 1)
	c := &mirroredCluster{t: t, etcd: source.ClientURL()}
	mustAs(t, "", "PUT", c.etcd+"/v2/keys/app/one", "value=1")
	mustAs(t, "", "PUT", c.etcd+"/v2/keys/app/one", "value=2")
	makeUsers(t, c.etcd)
	imported := t.TempDir()
	if err := os.CopyFS(imported, os.DirFS(source.DataDir)); err != nil {
		t.Fatal(err)
	}
	all := servertest.NewMembers(t, "x", "y", "z")
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
	if err := json.Unmarshal([]byte(mustAs(c.t, asRoot, "GET", member.Client+"/v2/mirror", "")), &state); err != nil {
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
		got := sendAs(c.t, asRoot, "POST", c.members[0].Client+"/v2/mirror", string(text))
		if got.status != http.StatusOK && got.status != http.StatusPreconditionFailed {
			c.t.Fatalf("%s: %d %s", text, got.status, got.body)
		}
		return got.status == http.StatusOK
	})
}

// follow passes the events of the etcd to the cluster until unfollow.
func (c *mirroredCluster) follow() {
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	index := c.state(c.members[0]).Index
	c.done.Go(func() {
		for ctx.Err() == nil {
			next, err := c.step(ctx, index)
			if err != nil && ctx.Err() == nil {
				c.t.Error(err)
				return
			}
			index = next
		}
	})
	c.t.Cleanup(c.unfollow)
}

// unfollow ends follow.
func (c *mirroredCluster) unfollow() {
	c.stop()
	c.done.Wait()
}

// step passes the next event after an index to the cluster, and returns the new index. Watchers of an etcd do not get refreshes. If there
// may have been one, step makes an event: the indexes before it that have no event were no changes for watchers.
func (c *mirroredCluster) step(ctx context.Context, index uint64) (uint64, error) {
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	var event struct {
		Action         string
		Node, PrevNode *eventNode
	}
	watch := fmt.Sprintf("%s/v2/keys/?wait=true&recursive=true&waitIndex=%d", c.etcd, index+1)
	switch text, err := c.ask(short, "GET", watch, ""); {
	case ctx.Err() != nil:
		return index, ctx.Err()
	case err != nil:
		_, err = c.ask(ctx, "PUT", c.etcd+"/v2/keys/passed", "value=x")
		return index, err
	default:
		if err := json.Unmarshal(text, &event); err != nil || event.Node == nil {
			return index, fmt.Errorf("%s: %v", text, err)
		}
	}
	body, err := json.Marshal(map[string]any{"after": index, "to": event.Node.ModifiedIndex, "events": []any{map[string]any{
		"action": event.Action, "time": time.Now(), "node": event.Node, "prevNode": event.PrevNode,
	}}})
	if err != nil {
		return index, err
	}
	answer, err := c.ask(ctx, "POST", c.members[0].Client+"/v2/mirror", string(body))
	if err != nil || !bytes.HasPrefix(answer, []byte(`{"phase":`)) {
		return index, fmt.Errorf("%s: %s, %w", body, answer, err)
	}
	return event.Node.ModifiedIndex, nil
}

// eventNode is a node of an event, for /v2/mirror.
type eventNode struct {
	Key           string  `json:"key"`
	Value         string  `json:"value,omitempty"`
	Dir           bool    `json:"dir,omitempty"`
	Expiration    *string `json:"expiration,omitempty"`
	ModifiedIndex uint64  `json:"modifiedIndex"`
	CreatedIndex  uint64  `json:"createdIndex"`
}

// ask sends a request as root, and returns the body of the response.
func (c *mirroredCluster) ask(ctx context.Context, method, target, body string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", transcriptFormType)
	name, password, _ := strings.Cut(asRoot, ":")
	r.SetBasicAuth(name, password)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}
