package httpapi

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pando/tree"
	"pando/tree/users"
)

// handlerSource is a v2.Source that calls a handler, whatever the URLs are.
type handlerSource struct {
	handler http.HandlerFunc
	inDoubt bool
	fail    error // of Send; nil for none
	sent    atomic.Int64
}

func (s *handlerSource) Send(r *http.Request, _ string, urls []string) (*http.Response, bool, error) {
	s.sent.Add(1)
	if s.fail != nil {
		return nil, s.inDoubt, s.fail
	}
	member, err := url.Parse(urls[0])
	if err != nil {
		return nil, false, err
	}
	r.URL.Scheme, r.URL.Host = member.Scheme, member.Host
	w := httptest.NewRecorder()
	s.handler(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, false, nil
}

// newMirrorFixture makes a fixture that follows an etcd, which is a handler, and forwards writes to it.
func newMirrorFixture(t *testing.T, etcd http.HandlerFunc) (*fixture, *handlerSource) {
	t.Helper()
	source := &handlerSource{handler: etcd}
	f := newFixture(t, func(c *MemberConfig) {
		c.Source, c.SourceTimeout, c.Service.ReadyTimeout = source, 20*time.Second, 20*time.Second
	})
	f.log.tree.Follow()
	f.mustMirror(t, `{"after":1,"to":9,"sources":["http://etcd:2379"],"forwardWrites":true}`)
	return f.unchecked(), source
}

// mirror changes the mirror.
func (f *fixture) mirror(body string) *httptest.ResponseRecorder {
	return f.do("POST", "/v2/mirror", body)
}

// mustMirror changes the mirror, and returns the state after it.
func (f *fixture) mustMirror(t *testing.T, body string) tree.MirrorState {
	t.Helper()
	return mirrorStateOf(t, f.mirror(body))
}

func mirrorStateOf(t *testing.T, w *httptest.ResponseRecorder) tree.MirrorState {
	t.Helper()
	var state tree.MirrorState
	if err := json.Unmarshal(w.Body.Bytes(), &state); err != nil || w.Code != http.StatusOK {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	return state
}

func TestMirror(t *testing.T) {
	f := newFixture(t, nil)
	if w := f.do("GET", "/v2/mirror", ""); w.Body.String() !=
		`{"phase":"none","index":1,"sources":[],"forwardWrites":false,"member":"1","forwarding":0}`+"\n" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := f.mirror(`{"after":1,"to":2}`); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "does not follow") {
		t.Errorf("an ordinary cluster: got %d %s", w.Code, w.Body)
	}
	f.log.tree.Follow()
	for _, test := range []struct {
		name, body, want string
		status           int
	}{
		{"settings", `{"after":1,"to":1,"sources":["http://etcd:2379","https://etcd:2380/"],"forwardWrites":true}`,
			`"sources":["http://etcd:2379","https://etcd:2380/"],"forwardWrites":true`, 200},
		{"an event", `{"after":1,"to":7,"events":[{"action":"set","time":"2026-11-30T10:00:00Z",` +
			`"node":{"key":"/a","value":"1","modifiedIndex":7,"createdIndex":7}}]}`, `"index":7`, 200},
		{"the same event again", `{"after":1,"to":7}`, `"index":7}`, 412},
		{"nodes", `{"after":7,"to":7,"nodes":[{"key":"/_h","dir":true,"modifiedIndex":5,"createdIndex":5},{"key":"/ttl","value":"x",` +
			`"expiration":"2030-01-01T00:00:00Z","modifiedIndex":6,"createdIndex":6}]}`, `"index":7`, 200},
		{"the end without a fence", `{"after":7,"to":9,"phase":"ended"}`, `must be fenced`, 400},
		{"the fence", `{"after":7,"to":7,"phase":"fenced"}`, `"phase":"fenced"`, 200},
		{"an index that goes back", `{"after":7,"to":6}`, `ends at index 6`, 400},
		{"no JSON", `after=7`, `invalid character`, 400},
		{"more than JSON", `{"after":7,"to":7}{}`, `after top-level value`, 400},
		{"an unknown field", `{"after":7,"to":7,"index":7}`, `unknown field`, 400},
		{"a source without a scheme", `{"after":7,"to":7,"sources":["etcd:2379"]}`, `must be http://HOST:PORT`, 400},
		{"a source with a password", `{"after":7,"to":7,"sources":["http://root:secret@etcd:2379"]}`, `root:xxxxx@etcd`, 400},
		{"a source with a path", `{"after":7,"to":7,"sources":["http://etcd:2379/v2"]}`, `must be http://HOST:PORT`, 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := f.mirror(test.body)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) || w.Header().Get("X-Etcd-Cluster-Id") == "" {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			if got := w.Header().Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("web pages of %q may read it", got)
			}
		})
	}
	want := `{"index":7,"nodes":[{"key":"/_h","dir":true,"modifiedIndex":5,"createdIndex":5},` +
		`{"key":"/ttl","expiration":"2030-01-01T00:00:00Z","modifiedIndex":6,"createdIndex":6}]}` + "\n"
	if w := f.do("GET", "/v2/mirror/nodes", ""); w.Body.String() != want {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	f.awaitMetric(t, "pando_mirror_phase 2")
}

// recordingEtcd is a handler that keeps the last request and its body, and responds with respond.
type recordingEtcd struct {
	got     *http.Request // nil without a request
	body    string
	respond http.HandlerFunc
}

func (e *recordingEtcd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	e.got, e.body = r, string(text)
	e.respond(w, r)
}

// created responds as an etcd that has made a node.
func created(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h["X-Etcd-Index"], h["X-Etcd-Cluster-Id"], h["X-Raft-Index"] = []string{"9"}, []string{"other"}, []string{"5000"}
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"action":"set","node":{}}`+"\n")
}

// send calls the client handler with a request that has these headers alone.
func (f *fixture) send(method, target, form string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(form))
	r.Header = header
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

// TestForwardedRequest checks what the etcd gets of a write, and what the client gets of its response.
func TestForwardedRequest(t *testing.T) {
	etcd := &recordingEtcd{respond: created}
	f, _ := newMirrorFixture(t, etcd.ServeHTTP)
	w := f.send("PUT", "/v2/keys/a%20%C3%A4%2Fb?ttl=%35&x=1", "value=%31+2&x", http.Header{
		"Content-Type": {formType}, "Authorization": {"Basic first", "Basic second"}, "Via": {"1.1 front"}, "Cookie": {"secret"},
		"X-Forwarded-For": {"10.1.1.1"},
	})
	got := etcd.got
	if got.Method != "PUT" || got.URL.String() != "http://etcd:2379/v2/keys/a%20%C3%A4/b?ttl=%35&x=1" || etcd.body != "value=%31+2&x" {
		t.Errorf("the etcd got %s %s, %s", got.Method, got.URL, etcd.body)
	}
	want := http.Header{
		"Content-Type": {formType}, "Authorization": {"Basic first"}, "Via": {"1.1 front", "1.1 pando-member-1"},
		"X-Forwarded-For": {"10.1.1.1", "192.0.2.1"},
	}
	for name, values := range want {
		if !slices.Equal(got.Header[name], values) {
			t.Errorf("%s is %q, want %q", name, got.Header[name], values)
		}
	}
	if len(got.Header) != len(want) {
		t.Errorf("the etcd got the headers %v", got.Header)
	}
	h := w.Header()
	if w.Code != 201 || w.Body.String() != `{"action":"set","node":{}}`+"\n" || h.Get("X-Etcd-Index") != "9" ||
		h.Get("X-Etcd-Cluster-Id") != "c1" || h.Get("X-Raft-Index") == "5000" || h.Get("X-Raft-Term") != "7" {
		t.Errorf("the client got %d %s, %v", w.Code, w.Body, h)
	}
}

// TestForwardedOrNot checks which requests are forwarded.
func TestForwardedOrNot(t *testing.T) {
	etcd := &recordingEtcd{respond: created}
	f, _ := newMirrorFixture(t, etcd.ServeHTTP)
	for _, test := range []struct {
		method, target string
		status         int
		forwarded      bool
	}{
		{"PUT", "/v2/keys/a", 201, true},
		{"POST", "/v2/keys/a", 201, true},
		{"DELETE", "/v2/keys/a?recursive=true", 201, true},
		{"GET", "/v2/keys/a?quorum=true", 201, true},
		{"HEAD", "/v2/keys/a?quorum=true", 201, true},
		{"GET", "/v2/keys/a?wait=true&quorum=true", 201, true}, // as in the reference, this is a read
		{"GET", "/v2/keys/", 200, false},
		{"GET", "/v2/keys/none?recursive=true", 404, false},
		{"GET", "/v2/keys/x?wait=maybe", 400, false},
		{"PUT", "/v2/keys/a?prevIndex=x", 400, false},
	} {
		t.Run(test.method+" "+test.target, func(t *testing.T) {
			etcd.got = nil
			w := f.send(test.method, test.target, "", http.Header{})
			if w.Code != test.status || (etcd.got != nil) != test.forwarded {
				t.Errorf("%d; the etcd got %v", w.Code, etcd.got)
			}
			if etcd.got != nil && (etcd.got.Method != test.method || etcd.got.URL.RequestURI() != test.target) {
				t.Errorf("the etcd got %s %s", etcd.got.Method, etcd.got.URL)
			}
		})
	}
	t.Run("a loop", func(t *testing.T) {
		etcd.got = nil
		w := f.send("PUT", "/v2/keys/a", "", http.Header{"Via": {"1.1 pando-member-1", "1.1 pando-member-2"}})
		if w.Code != 503 || etcd.got != nil || !strings.Contains(w.Body.String(), "forward to the cluster itself") {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
}

// TestForwardedError checks that an error of the etcd is passed on byte for byte, and counted.
func TestForwardedError(t *testing.T) {
	const text = `{"errorCode":101,"message":"Compare failed","cause":"[a != b]","index":8}` + "\n"
	f, _ := newMirrorFixture(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["X-Etcd-Index"] = []string{"8"}
		w.WriteHeader(http.StatusPreconditionFailed)
		_, _ = io.WriteString(w, text)
	})
	w := f.send("PUT", "/v2/keys/a?prevValue=a", "", http.Header{})
	if w.Code != 412 || w.Body.String() != text || w.Header().Get("X-Etcd-Index") != "8" || w.Header()["X-Raft-Index"] != nil {
		t.Errorf("got %d %s, %v", w.Code, w.Body, w.Header())
	}
	f.awaitMetric(t, `pando_requests_total{operation="compare_and_swap",outcome="compare_failed"} 1`)
	f.awaitMetric(t, `pando_mirror_forwarded_total{outcome="failed"} 1`)
}

// TestSourceWithoutAnAnswer checks what clients get if the etcd does not answer, and while the cluster takes over.
func TestSourceWithoutAnAnswer(t *testing.T) {
	f, source := newMirrorFixture(t, http.NotFound)
	for _, test := range []struct {
		name    string
		inDoubt bool
		status  int
		want    string
	}{
		{"not sent", false, 503, "(http://etcd:2379) did not answer; nothing was done"},
		{"in doubt", true, 500, "the request was sent and may have been carried out: read before you repeat it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			source.fail, source.inDoubt = io.ErrUnexpectedEOF, test.inDoubt
			before := source.sent.Load()
			w := f.do("PUT", "/v2/keys/a", "value=1")
			if w.Code != test.status || !strings.HasPrefix(w.Body.String(), `{"errorCode":300,"message":"Raft Internal Error","cause":"`) ||
				!strings.Contains(w.Body.String(), test.want) || source.sent.Load() != before+1 {
				t.Errorf("got %d %s after %d sends", w.Code, w.Body, source.sent.Load()-before)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		f.mustMirror(t, `{"after":9,"to":9,"forwardWrites":false}`)
		w := f.do("PUT", "/v2/keys/a", "value=1")
		want := `{"errorCode":300,"message":"Raft Internal Error",` +
			`"cause":"this cluster follows an etcd (http://etcd:2379) and takes no writes until ` +
			"`pando migrate switch`; write there\",\"index\":0}\n"
		if w.Code != 503 || w.Body.String() != want {
			t.Errorf("got  %d %swant 503 %s", w.Code, w.Body, want)
		}
	})
	t.Run("users", func(t *testing.T) {
		if w := f.do("PUT", "/v2/auth/users/root", `{"user":"root","password":"x"}`); w.Code != 503 ||
			!strings.Contains(w.Body.String(), "change them after `pando migrate switch`") {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
		if f.log.tree.View().Users().User(users.Root) != nil {
			t.Error("the user was made")
		}
	})
	t.Run("held until the end", func(t *testing.T) {
		f.mustMirror(t, `{"after":9,"to":9,"phase":"fenced"}`)
		done := make(chan *httptest.ResponseRecorder, 1)
		go func() { done <- f.do("PUT", "/v2/keys/a", "value=1") }()
		select {
		case w := <-done:
			t.Errorf("not held: %d %s", w.Code, w.Body)
		case <-time.After(20 * time.Millisecond):
		}
		f.mustMirror(t, `{"after":9,"to":1009,"phase":"ended"}`)
		if w := <-done; w.Code != 201 || !strings.Contains(w.Body.String(), `"modifiedIndex":1010`) {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
}
