package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	v2 "pando/httpapi/v2"
	"pando/tree"
	"pando/tree/users"
)

// txnRequest returns a request for a transaction.
func txnRequest(user, body string) *http.Request {
	r := newRequestAs(user, "POST", v2.TxnPath, body)
	r.Header.Set("Content-Type", "application/json")
	return r
}

// txn executes a transaction without credentials.
func (f *fixture) txn(body string) *httptest.ResponseRecorder { return f.serve(txnRequest("", body)) }

func TestTxn(t *testing.T) {
	f := newFixture(t, nil)
	f.do("PUT", "/v2/keys/a", "value=1")
	w := f.txn(`{"compare":[{"key":"/a","prevValue":"1","prevIndex":2},{"key":"/b","prevExist":false}],
		"then":[{"action":"set","key":"/b","value":"2"},{"action":"delete","key":"/a","prevIndex":2},{"action":"get","key":"/"}]}`)
	b := `{"key":"/b","value":"2","modifiedIndex":3,"createdIndex":3}`
	want := `{"succeeded":true,"index":4,"results":[{"action":"set","node":` + b + `},` +
		`{"action":"compareAndDelete","node":{"key":"/a","modifiedIndex":4,"createdIndex":2},` +
		`"prevNode":{"key":"/a","value":"1","modifiedIndex":2,"createdIndex":2}},` +
		`{"action":"get","node":{"dir":true,"nodes":[` + b + `]}}]}` + "\n"
	if w.Code != http.StatusOK || w.Body.String() != want {
		t.Errorf("%d %s\nwant %s", w.Code, w.Body, want)
	}
	h := w.Header()
	if h.Get("X-Etcd-Index") != "4" || h.Get("Content-Type") != "application/json" || h.Get("X-Etcd-Cluster-Id") == "" ||
		h.Get("X-Raft-Index") == "" || h.Get("X-Raft-Term") == "" || h.Get("Etag") != "" {
		t.Errorf("headers %v", h)
	}
	w = f.txn(`{"compare":[{"key":"/a","prevExist":true}],"then":[{"action":"delete","key":"/a"}]}`)
	if w.Code != http.StatusOK || w.Body.String() != `{"succeeded":false,"index":4,"results":[]}`+"\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	f.awaitMetric(t, `pando_requests_total{operation="txn",outcome="ok"} 2`)
}

// TestTxnErrors checks the response to each error of a transaction that is executed. It changes nothing.
func TestTxnErrors(t *testing.T) {
	f := newFixture(t, nil)
	f.do("PUT", "/v2/keys/a", "value=1")
	for name, test := range map[string]struct {
		operation string
		status    int
		body      string
	}{
		"not found": {`{"action":"get","key":"/none/a"}`, 404,
			`{"errorCode":100,"message":"Key not found","cause":"then[1]: /none/a: /none","index":2}`},
		"compare failed": {`{"action":"update","key":"/a","value":"2","prevValue":"x"}`, 412,
			`{"errorCode":101,"message":"Compare failed","cause":"then[1]: /a: [x != 1]","index":2}`},
		"exists": {`{"action":"create","key":"/a"}`, 412,
			`{"errorCode":105,"message":"Key already exists","cause":"then[1]: /a","index":2}`},
		"not a directory": {`{"action":"set","key":"/a/b"}`, 400,
			`{"errorCode":104,"message":"Not a directory","cause":"then[1]: /a/b: /a","index":2}`},
		"the root": {`{"action":"delete","key":"/","recursive":true}`, 400,
			`{"errorCode":107,"message":"Root is read only","cause":"then[1]: /","index":2}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := f.txn(`{"then":[{"action":"set","key":"/new","value":"x"},` + test.operation + `]}`)
			if w.Code != test.status || w.Body.String() != test.body+"\n" || w.Header().Get("X-Etcd-Index") != "2" {
				t.Errorf("%d %s\nwant %s", w.Code, w.Body, test.body)
			}
			if w := f.do("GET", "/v2/keys/new", ""); w.Code != http.StatusNotFound || w.Header().Get("X-Etcd-Index") != "2" {
				t.Errorf("the transaction was executed in part: %s", w.Body)
			}
		})
	}
}

// TestTxnRefusals checks requests that never reach the log.
func TestTxnRefusals(t *testing.T) {
	f := newFixture(t, func(c *MemberConfig) { c.MaxRequestBytes = 1000 })
	for name, test := range map[string]struct {
		change func(r *http.Request)
		body   string
		status int
		want   string
	}{
		"a form":    {func(r *http.Request) { r.Header.Set("Content-Type", formType) }, "value=1", 415, "Content-Type: application/json"},
		"no type":   {func(r *http.Request) { r.Header.Del("Content-Type") }, "{}", 415, "Content-Type: application/json"},
		"a charset": {func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset=utf-8") }, "{}", 200, "succeeded"},
		"too large": {nil, `{"then":[{"action":"set","key":"/a","value":"` + strings.Repeat("x", 1000) + `"}]}`, 413, "max-request-bytes"},
		"a method":  {func(r *http.Request) { r.Method = "GET" }, "", 405, "Method Not Allowed"},
		"another origin": {func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, "{}", 403,
			`{"errorCode":110,"message":"The request requires user authentication"`},
		"no JSON": {nil, "value=1", 400, `"errorCode":210`},
	} {
		t.Run(name, func(t *testing.T) {
			r := txnRequest("", test.body)
			if test.change != nil {
				test.change(r)
			}
			if w := f.serve(r); w.Code != test.status || !strings.Contains(w.Body.String(), test.want) {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, test.status, test.want)
			}
		})
	}
	if got := f.log.Index(); got != 1 {
		t.Errorf("%d entries", got)
	}
}

// TestTxnFollowing checks that a transaction is refused while the cluster follows an etcd.
func TestTxnFollowing(t *testing.T) {
	f := newFixture(t, nil)
	f.log.tree.Follow()
	follow := tree.MirrorChange{After: 1, To: 1, Phase: tree.PhaseFollowing, Sources: []string{"http://127.0.0.1:9"}, ForwardWrites: new(true)}
	if _, err := f.log.Propose(t.Context(), &tree.Command{Op: tree.OpMirror, Mirror: &follow}); err != nil {
		t.Fatal(err)
	}
	w := f.txn(`{"then":[{"action":"set","key":"/a"}]}`)
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "has no transactions") ||
		!strings.Contains(w.Body.String(), "http://127.0.0.1:9") || !strings.Contains(w.Body.String(), `"errorCode":300`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestAccessOfTxn checks that a transaction needs the right to each of its keys, those of the other list included.
func TestAccessOfTxn(t *testing.T) {
	f := newFixture(t, nil)
	for _, key := range []string{"/w/a", "/r/a", "/other"} {
		f.do("PUT", "/v2/keys"+key, "value=1")
	}
	some := users.Permissions{Read: []users.Range{users.ParsePattern("/r*")}, Write: []users.Range{users.ParsePattern("/w*")}}
	f.enableAuth(t, users.Change{Op: users.PutRole, Name: "some", Permissions: some}, f.user(t, "some", "some"))
	for _, test := range []struct {
		body    string
		allowed bool
	}{
		{`{"compare":[{"key":"/r/a","prevExist":true}],"then":[{"action":"set","key":"/w/a"},{"action":"get","key":"/r/a"}]}`, true},
		{`{"compare":[{"key":"/w/a","prevExist":true}]}`, false},
		{`{"compare":[{"key":"/other","prevExist":true}]}`, false},
		{`{"then":[{"action":"get","key":"/w/a"}]}`, false},
		{`{"then":[{"action":"set","key":"/r/a"}]}`, false},
		{`{"else":[{"action":"set","key":"/other"}]}`, false},
		{`{"then":[{"action":"set","key":"/w/a"}],"else":[{"action":"get","key":"/other"}]}`, false},
		{`{"then":[{"action":"get","key":"/r","recursive":true}]}`, true},
		{`{"then":[{"action":"get","key":"/","recursive":true}]}`, false},
		{`{"then":[{"action":"createInOrder","key":"/w/queue"}]}`, true},
		{`{"then":[{"action":"createInOrder","key":"/"}]}`, false},
		{`{"then":[{"action":"update","key":"/w","dir":true,"ttl":100}]}`, true},
		{`{"then":[{"action":"delete","key":"/w","recursive":true}]}`, true},
		{`{}`, false},
	} {
		for _, user := range []string{"", "wrong", "some", "root"} {
			w := f.serve(txnRequest(user, test.body))
			allowed := user == "root" || user == "some" && test.allowed
			if (w.Code == http.StatusOK) != allowed && w.Code != http.StatusNotFound || !allowed && w.Body.String() != refusedKey {
				t.Errorf("%q %s: %d %s", user, test.body, w.Code, w.Body)
			}
		}
	}
}

// TestTxnItems checks the largest number of elements in a list.
func TestTxnItems(t *testing.T) {
	f := newFixture(t, nil)
	const tooMany = `{"errorCode":209,"message":"Invalid field","cause":"\"then\" has more than 128`
	for n, want := range map[int]string{128: `{"succeeded":true`, 129: tooMany} {
		items := make([]json.RawMessage, n)
		for i := range items {
			items[i] = json.RawMessage(fmt.Sprintf(`{"action":"set","key":"/%d"}`, i))
		}
		body, err := json.Marshal(map[string]any{"then": items})
		if err != nil {
			t.Fatal(err)
		}
		if w := f.txn(string(body)); !strings.HasPrefix(w.Body.String(), want) {
			t.Errorf("%d operations: %d %s", n, w.Code, w.Body)
		}
	}
}
