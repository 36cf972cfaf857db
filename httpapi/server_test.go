package httpapi

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/httpapi/service"
	"pando/httpapi/stream"
	"pando/members"
	"pando/stats"
	"pando/tree"
)

const formType = "application/x-www-form-urlencoded"

// instantLog applies each command at once: a log without replicas.
type instantLog struct {
	mu    sync.Mutex
	tree  *tree.Store
	index uint64
	fail  error // what Propose and Barrier return instead

	leaderless bool
}

func (l *instantLog) Propose(_ context.Context, c *tree.Command) (*tree.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return nil, l.fail
	}
	// Through the encoding, as a real log would.
	decoded, _, err := tree.DecodeCommand(tree.AppendCommand(nil, c))
	if err != nil {
		return nil, err
	}
	l.index++
	r := l.tree.Apply(time.Now().UnixNano(), []tree.Command{decoded})[0]
	l.tree.Announce()
	if r.Err != nil {
		return nil, r.Err
	}
	return r.Event, nil
}

func (l *instantLog) Barrier(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fail
}

func (l *instantLog) Index() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index
}

func (l *instantLog) Term() uint64 { return 7 }

func (l *instantLog) Leader() members.ID {
	if l.leaderless {
		return 0
	}
	return 1
}

// noCluster refuses every change of the membership.
type noCluster struct{ err error }

func (c noCluster) AddMember(context.Context, members.Member) error          { return c.err }
func (c noCluster) RemoveMember(context.Context, members.ID) error           { return c.err }
func (c noCluster) UpdateMember(context.Context, members.ID, []string) error { return c.err }
func (c noCluster) TransferLeader(context.Context, members.ID) error         { return c.err }

type fixture struct {
	*Member
	log     *instantLog
	handler http.Handler
}

func newFixture(t testing.TB, change func(*MemberConfig)) *fixture {
	t.Helper()
	registry := members.NewRegistry(0xc1)
	if err := registry.Add(members.Member{ID: 1, Name: "one", PeerURLs: []string{"http://127.0.0.1:1"}, ClientURLs: []string{"http://127.0.0.1:2"}}); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	close(ready)
	log := &instantLog{tree: tree.New(1000)}
	cfg := MemberConfig{
		Config: service.Config{
			Log: log, Cluster: noCluster{}, Tree: log.tree, Members: registry, Self: 1,
			Stats: stats.NewServer("one", 1, time.Now), Leader: stats.NewLeader(1),
			Ready: ready, ReadyTimeout: 50 * time.Millisecond,
			CheckpointFailing: func() (time.Time, error) { return time.Time{}, nil },
		},
		Metrics:         stats.NewMetrics(stats.Build{Version: "test", APIVersion: "3.4.23"}),
		MaxRequestBytes: 1 << 20, MaxInflightBytes: 64 << 20, BodyTimeout: 5 * time.Second, StallTimeout: 5 * time.Second,
		Versions: Versions{Server: "3.4.23", Cluster: "3.4.0", Pando: "test"},
		Logger:   zap.NewNop(),
	}
	if change != nil {
		change(&cfg)
	}
	m := NewMember(cfg)
	return &fixture{Member: m, log: log, handler: m.client()}
}

// stallPolicy is that of a test's listeners.
func (f *fixture) stallPolicy() stream.StallPolicy {
	return stream.StallPolicy{Timeout: f.StallTimeout, Metrics: f.Metrics, Logger: f.Logger}
}

// await polls until done, and fails the test when that takes too long.
func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// do sends one request without a connection.
func (f *fixture) do(method, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", formType)
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

func TestKeys(t *testing.T) {
	f := newFixture(t, nil)
	for _, tc := range []struct {
		name, method, target, body string
		status                     int
		want                       string
	}{
		{"create", "PUT", "/v2/keys/a", "value=1", 201, `{"action":"set","node":{"key":"/a","value":"1","modifiedIndex":2,"createdIndex":2}}`},
		{"the body beats the query", "PUT", "/v2/keys/a?value=q", "value=b", 200, `{"action":"set","node":{"key":"/a","value":"b","modifiedIndex":3,"createdIndex":3},"prevNode":{"key":"/a","value":"1","modifiedIndex":2,"createdIndex":2}}`},
		{"no value told", "PUT", "/v2/keys/a?noValueOnSuccess=true", "value=c", 200, `{"action":"set"}`},
		{"compare", "PUT", "/v2/keys/a?prevValue=x", "value=d", 412, `{"errorCode":101,"message":"Compare failed","cause":"[x != c]","index":4}`},
		{"semicolon", "PUT", "/v2/keys/a", "value=1;b=2", 400, `{"errorCode":210,"message":"Invalid POST form","cause":"invalid semicolon separator in query","index":0}`},
		{"read", "GET", "/v2/keys/a", "", 200, `{"action":"get","node":{"key":"/a","value":"c","modifiedIndex":4,"createdIndex":4}}`},
		{"read the past", "GET", "/v2/keys/a?wait=true&waitIndex=3", "", 200, `{"action":"set","node":{"key":"/a","value":"b","modifiedIndex":3,"createdIndex":3},"prevNode":{"key":"/a","value":"1","modifiedIndex":2,"createdIndex":2}}`},
		{"a refresh with dir of nothing", "PUT", "/v2/keys/none?refresh=true&dir=true&ttl=5", "", 404, `{"errorCode":100,"message":"Key not found","cause":"/none","index":4}`},
		{"a refresh makes no directory of a file", "PUT", "/v2/keys/a?refresh=true&dir=true&ttl=5", "", 400, `{"errorCode":104,"message":"Not a directory","cause":"/a","index":4}`},
		{"too deep", "GET", "/v2/keys" + strings.Repeat("/d", tree.MaxPathDepth+1), "", 400, `{"errorCode":209,"message":"Invalid field","cause":"the path is longer than 16384 bytes or deeper than 1024 levels","index":0}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := f.do(tc.method, tc.target, tc.body)
			if w.Code != tc.status || w.Body.String() != tc.want+"\n" {
				t.Errorf("got  %d %s\nwant %d %s", w.Code, w.Body, tc.status, tc.want)
			}
			if got := w.Header().Get("X-Etcd-Cluster-Id"); got != "c1" {
				t.Errorf("cluster ID %q", got)
			}
		})
	}
}

func TestMemberChangeErrors(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
		want   string
	}{
		{members.ErrIDNotFound, 404, `{"message":"No such member: ab"}`},
		{members.ErrIDRemoved, 410, `{"message":"Member permanently removed: ab"}`},
		{members.ErrIDExists, 409, `{"message":"membership: ID exists"}`},
		{members.ErrPeerURLExists, 409, `{"message":"membership: peerURL exists"}`},
		{io.ErrUnexpectedEOF, 500, `{"message":"unexpected EOF"}`},
		{nil, 204, ``},
	} {
		t.Run(tc.want, func(t *testing.T) {
			f := newFixture(t, func(c *MemberConfig) { c.Cluster = noCluster{tc.err} })
			w := f.do("DELETE", "/v2/members/0ab", "")
			if w.Code != tc.status || w.Body.String() != tc.want {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tc.status, tc.want)
			}
		})
	}
}

func TestNotReady(t *testing.T) {
	f := newFixture(t, func(c *MemberConfig) { c.Ready = make(chan struct{}) })
	w := f.do("GET", "/v2/keys/a", "")
	if w.Code != 500 || !strings.Contains(w.Body.String(), tree.CauseTimedOut) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := f.do("GET", "/version", ""); w.Code != 200 {
		t.Errorf("/version: %d", w.Code)
	}
	if w := f.do("GET", "/health", ""); w.Code != 503 || w.Body.String() != `{"health":"false"}`+"\n" {
		t.Errorf("/health: %d %s", w.Code, w.Body)
	}
}

// TestStopsBeforeReady stops a server while a request waits for it to serve.
func TestStopsBeforeReady(t *testing.T) {
	f := newFixture(t, func(c *MemberConfig) { c.Ready, c.ReadyTimeout = make(chan struct{}), time.Hour })
	time.AfterFunc(10*time.Millisecond, f.closeWaits)
	if w := f.do("PUT", "/v2/keys/a", "value=1"); w.Code != 500 || !strings.Contains(w.Body.String(), tree.CauseStopped) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	f.closeWaits() // a second time is nothing
}

// TestMembersOfNewMember asks a member for the cluster's members before they know its
// client URLs.
func TestMembersOfNewMember(t *testing.T) {
	for target, want := range map[string]string{
		"/v2/members":  `"clientURLs":["http://127.0.0.1:2"]`,
		"/v2/machines": "http://127.0.0.1:2",
	} {
		status := map[string]int{"/v2/members": 200, "/v2/machines": 503}[target] // where none is known in time
		t.Run(target, func(t *testing.T) {
			ready := make(chan struct{})
			f := newFixture(t, func(c *MemberConfig) {
				c.Members, c.Ready, c.ReadyTimeout = members.NewRegistry(0xc1), ready, time.Minute
			})
			if err := f.Members.Add(members.Member{ID: 1, PeerURLs: []string{"http://127.0.0.1:1"}}); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(20*time.Millisecond, func() {
				if err := f.Members.UpdateAttributes(1, "one", []string{"http://127.0.0.1:2"}); err != nil {
					t.Error(err)
				}
				close(ready)
			})
			if got := f.do("GET", target, "").Body.String(); !strings.Contains(got, want) {
				t.Errorf("got %s, want %s in it", got, want)
			}
		})
		t.Run(target+" in vain", func(t *testing.T) {
			f := newFixture(t, func(c *MemberConfig) { c.Members, c.Ready = members.NewRegistry(0xc1), make(chan struct{}) })
			if err := f.Members.Add(members.Member{ID: 1, PeerURLs: []string{"http://127.0.0.1:1"}}); err != nil {
				t.Fatal(err)
			}
			if w := f.do("GET", target, ""); w.Code != status {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, status)
			}
		})
		t.Run(target+" of one known before", func(t *testing.T) {
			f := newFixture(t, func(c *MemberConfig) { c.Ready, c.ReadyTimeout = make(chan struct{}), time.Hour })
			if got := f.do("GET", target, "").Body.String(); !strings.Contains(got, want) {
				t.Errorf("got %s, want %s in it", got, want)
			}
		})
	}
}

func TestLogFailure(t *testing.T) {
	f := newFixture(t, nil)
	f.log.fail = tree.NewError(tree.CodeRaftInternal, tree.CauseTimedOut)
	for _, r := range []struct{ method, target string }{{"PUT", "/v2/keys/a"}, {"GET", "/v2/keys/?quorum=true"}} {
		if w := f.do(r.method, r.target, ""); w.Code != 500 || !strings.Contains(w.Body.String(), `"errorCode":300`) {
			t.Errorf("%s %s: %d %s", r.method, r.target, w.Code, w.Body)
		}
	}
}

// TestStream follows a stream over a real connection until it falls off the
// history.
func TestStream(t *testing.T) {
	f := newFixture(t, nil)
	server := httptest.NewServer(f.handler)
	defer server.Close()
	resp, err := http.Get(server.URL + "/v2/keys/a?wait=true&stream=true")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("X-Etcd-Index"); got != "1" {
		t.Errorf("the stream began at index %s", got)
	}
	lines := bufio.NewReader(resp.Body)
	for _, v := range []string{"1", "2"} {
		f.do("PUT", "/v2/keys/a", url.Values{"value": {v}}.Encode())
		line, err := lines.ReadString('\n')
		if err != nil || !strings.Contains(line, `"value":"`+v+`"`) {
			t.Fatalf("got %q %v, want value %s", line, err, v)
		}
	}
	f.closeWaits()
	if rest, err := io.ReadAll(lines); err == nil || len(rest) > 0 {
		t.Errorf("after the shutdown: %q %v, want a broken connection", rest, err)
	}
}

func TestCORS(t *testing.T) {
	for _, tc := range []struct {
		name    string
		origins []string
		origin  string
		want    string
	}{
		{"any by default", nil, "", "*"},
		{"any", []string{"*"}, "http://x", "*"},
		{"listed", []string{"http://x"}, "http://x", "http://x"},
		{"not listed", []string{"http://x"}, "http://y", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, func(c *MemberConfig) { c.CORS = tc.origins })
			r := httptest.NewRequest("OPTIONS", "/v2/keys/a", nil)
			r.Header.Set("Origin", tc.origin)
			w := httptest.NewRecorder()
			f.handler.ServeHTTP(w, r)
			if got := w.Header().Get("Access-Control-Allow-Origin"); w.Code != 200 || got != tc.want {
				t.Errorf("%d, origin %q, want %q", w.Code, got, tc.want)
			}
			if varies := w.Header().Get("Vary") == "Origin"; varies != (tc.want != "*") {
				t.Errorf("Vary is %q", w.Header()["Vary"])
			}
		})
	}
}

// TestMembersAreNotForWebPages has a page of another origin send what needs no script: a form.
func TestMembersAreNotForWebPages(t *testing.T) {
	for _, tc := range []struct {
		name, method, path string
		header             map[string]string
		refused            bool
	}{
		{"curl", "POST", "/v2/members/1/leader", nil, false},
		{"a form of another site", "POST", "/v2/members/1/leader", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://evil"}, true},
		{"a form in an old browser", "POST", "/v2/members/1/leader", map[string]string{"Origin": "http://evil"}, true},
		{"a page of this server", "POST", "/v2/members/1/leader", map[string]string{"Origin": "http://example.com"}, false},
		{"a listed origin", "POST", "/v2/members/1/leader", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://good"}, false},
		{"a removal", "DELETE", "/v2/members/1", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://evil"}, true},
		{"a look", "GET", "/v2/members", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://evil"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, func(c *MemberConfig) { c.CORS = []string{"http://good", "*"} })
			r := httptest.NewRequest(tc.method, tc.path, nil)
			for name, value := range tc.header {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			f.handler.ServeHTTP(w, r)
			if (w.Code == http.StatusForbidden) != tc.refused || w.Code >= 400 && !tc.refused {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

func TestClean(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", "/"}, {"/", "/"}, {"/a", "/a"}, {"/a/", "/a/"}, {"//", "/"}, {"/a//b", "/a/b"},
		{"/a/./b", "/a/b"}, {"/a/../b", "/b"}, {"/..", "/"}, {"/a/..", "/"}, {"/.hidden", "/.hidden"}, {"/a/b/../", "/a/"},
	} {
		if got := clean(tc.in); got != tc.want {
			t.Errorf("clean(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}
