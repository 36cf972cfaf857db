package httpapi

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"pando/tree"
)

func TestKeys(t *testing.T) {
	f := newFixture(t, nil)
	for _, tc := range []struct {
		name, method, target, body string
		status                     int
		want                       string
	}{
		{"create", "PUT", "/v2/keys/a", "value=1", 201, `{"action":"set","node":{"key":"/a","value":"1","modifiedIndex":2,"createdIndex":2}}`},
		{"the body comes before the query", "PUT", "/v2/keys/a?value=q", "value=b", 200,
			`{"action":"set","node":{"key":"/a","value":"b","modifiedIndex":3,"createdIndex":3},` +
				`"prevNode":{"key":"/a","value":"1","modifiedIndex":2,"createdIndex":2}}`},
		{"no value in the response", "PUT", "/v2/keys/a?noValueOnSuccess=true", "value=c", 200, `{"action":"set"}`},
		{"compare", "PUT", "/v2/keys/a?prevValue=x", "value=d", 412, `{"errorCode":101,"message":"Compare failed","cause":"[x != c]","index":4}`},
		{"semicolon", "PUT", "/v2/keys/a", "value=1;b=2", 400,
			`{"errorCode":210,"message":"Invalid POST form","cause":"invalid semicolon separator in query","index":0}`},
		{"read", "GET", "/v2/keys/a", "", 200, `{"action":"get","node":{"key":"/a","value":"c","modifiedIndex":4,"createdIndex":4}}`},
		{"a watch of the past", "GET", "/v2/keys/a?wait=true&waitIndex=3", "", 200,
			`{"action":"set","node":{"key":"/a","value":"b","modifiedIndex":3,"createdIndex":3},` +
				`"prevNode":{"key":"/a","value":"1","modifiedIndex":2,"createdIndex":2}}`},
		{"a refresh of a missing directory", "PUT", "/v2/keys/none?refresh=true&dir=true&ttl=5", "", 404,
			`{"errorCode":100,"message":"Key not found","cause":"/none","index":4}`},
		{"a refresh makes no directory of a file", "PUT", "/v2/keys/a?refresh=true&dir=true&ttl=5", "", 400,
			`{"errorCode":104,"message":"Not a directory","cause":"/a","index":4}`},
		{"too deep", "GET", "/v2/keys" + strings.Repeat("/d", tree.MaxPathDepth+1), "", 400,
			`{"errorCode":209,"message":"Invalid field","cause":"the path is longer than 16384 bytes or deeper than 1024 levels","index":0}`},
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

func TestLogFailure(t *testing.T) {
	f := newFixture(t, nil)
	f.log.fail = tree.NewError(tree.CodeRaftInternal, tree.CauseTimedOut)
	for _, r := range []struct{ method, target string }{{"PUT", "/v2/keys/a"}, {"GET", "/v2/keys/?quorum=true"}} {
		if w := f.do(r.method, r.target, ""); w.Code != 500 || !strings.Contains(w.Body.String(), `"errorCode":300`) {
			t.Errorf("%s %s: %d %s", r.method, r.target, w.Code, w.Body)
		}
	}
}

// TestStream reads events of a stream over a real connection until the member stops.
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
	f.endWaitingRequests()
	if rest, err := io.ReadAll(lines); err == nil || len(rest) > 0 {
		t.Errorf("after the shutdown: %q %v, want a broken connection", rest, err)
	}
}

// TestLargeResponses checks that a response in pieces has the same bytes and the same length as one that is written at once, and
// that its connection stays open.
func TestLargeResponses(t *testing.T) {
	f := newFixture(t, func(c *MemberConfig) { c.MaxRequestBytes = 20 << 20 })
	server := serveFixture(t, f, (*httptest.Server).Start)
	for _, key := range []string{"a", "b/c", "b/d"} {
		f.do("PUT", "/v2/keys/l/"+key, url.Values{"value": {strings.Repeat("é<\x00", 100<<10)}}.Encode())
	}
	node, err := f.Service.Tree.View().Get("/l")
	if err != nil {
		t.Fatal(err)
	}
	want := string(tree.EncodeGet(node, 0, tree.Deep).Append(nil))
	for _, method := range []string{"GET", "HEAD"} {
		r, err := http.NewRequest(method, server.URL+"/v2/keys/l?recursive=true", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.ContentLength != int64(len(want)) || resp.TransferEncoding != nil || resp.Close || err != nil {
			t.Errorf("%s: %d of %d bytes, %v, close %v, %v", method, resp.ContentLength, len(want), resp.TransferEncoding, resp.Close, err)
		}
		if method == "GET" && string(body) != want || method == "HEAD" && len(body) > 0 {
			t.Errorf("%s: a different body of %d bytes", method, len(body))
		}
	}
}
