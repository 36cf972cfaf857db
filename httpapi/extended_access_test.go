package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestAccessOfLists checks which lists a user may read whose only right is to one pattern. A list may show nothing that the user may not
// read by a recursive list, except the children of a directory, as in a plain list.
func TestAccessOfLists(t *testing.T) {
	f := newFixture(t, nil)
	for _, key := range []string{"/d/a", "/d/_h/x", "/d/e/f", "/other"} {
		f.do("PUT", "/v2/keys"+key, "value=1")
	}
	f.enableAuth(t, role("exact", "/d"), role("below", "/d/*"), role("whole", "/d*"),
		f.user(t, "exact", "exact"), f.user(t, "below", "below"), f.user(t, "whole", "whole"), f.user(t, "nothing"))
	for _, tc := range []struct {
		query string
		users string // those who may read /d with the query, root excepted
	}{
		{"", "exact whole"},
		{"limit=1", "exact whole"},
		{"limit=1&after=/d/a", "exact whole"},
		{"after=/d/e/f", "exact whole"},
		{"depth=0", "exact whole"},
		{"depth=1&keysOnly=true", "exact whole"},
		{"count=true", "exact whole"},
		{"atIndex=now", "exact whole"},
		{"depth=2", "whole"},
		{"hidden=true", "whole"},
		{"hidden=true&depth=0", "whole"},
		{"hidden=true&count=true", "whole"},
		{"limit=1&depth=2", "whole"},
		{"recursive=true&limit=1", "whole"},
		{"recursive=true&depth=1", "whole"},
		{"recursive=true&count=true", "whole"},
		{"recursive=true&atIndex=now&limit=1", "whole"},
	} {
		t.Run(tc.query, func(t *testing.T) {
			for _, user := range []string{"", "nothing", "exact", "below", "whole", "root"} {
				w := f.doAs(user, "GET", "/v2/keys/d?"+tc.query, "")
				allowed := user == "root" || user != "" && slices.Contains(strings.Fields(tc.users), user)
				if allowed != (w.Code == http.StatusOK) || !allowed && w.Body.String() != refusedKey {
					t.Errorf("%q: %d %s", user, w.Code, w.Body)
				}
			}
		})
	}
}

// TestAccessOfValues checks the rights to raw values and conditional requests. Who has no right learns nothing from a condition.
func TestAccessOfValues(t *testing.T) {
	f := newFixture(t, nil)
	f.do("PUT", "/v2/keys/a", "value=1")
	f.enableAuth(t, role("all", "/*"), f.user(t, "keys", "all"), f.user(t, "plain"))
	for _, tc := range []struct {
		method, target, header, value string
		status                        int
	}{
		{"GET", "/v2/keys/a?raw=true", "", "", 200},
		{"GET", "/v2/keys/a", "Accept", "application/octet-stream", 200},
		{"GET", "/v2/keys/a", "If-None-Match", `"2"`, 304},
		{"GET", "/v2/keys/a", "If-Match", `"9"`, 412},
		{"PUT", "/v2/keys/a", "If-Match", `"9"`, 412},
		{"PUT", "/v2/keys/a", "If-Match", `"8", "9"`, 412},
		{"PUT", "/v2/keys/a", "If-None-Match", `*`, 412},
		{"DELETE", "/v2/keys/a", "If-Match", `"9"`, 412},
		{"PUT", "/v2/keys/a?raw=true", "Content-Type", "text/plain", 200},
	} {
		t.Run(tc.method+" "+tc.target+" "+tc.header, func(t *testing.T) {
			for _, user := range []string{"", "plain", "keys", "root"} {
				r := newRequestAs(user, tc.method, tc.target, "")
				if tc.header != "" {
					r.Header.Set(tc.header, tc.value)
				}
				w := f.serve(r)
				refused := user == "" || user == "plain"
				if refused && (w.Code != http.StatusUnauthorized || w.Body.String() != refusedKey || w.Header().Get("Etag") != "") {
					t.Errorf("%q: %d %s %v", user, w.Code, w.Body, w.Header())
				}
				if !refused && w.Code != tc.status {
					t.Errorf("%q: %d %s", user, w.Code, w.Body)
				}
			}
		})
	}
}

// TestHeadersForPages checks that web pages of the listed origins may send conditions and read tags and links, and that other responses
// have no new header.
func TestHeadersForPages(t *testing.T) {
	const page = "http://x"
	f := newFixture(t, func(c *MemberConfig) { c.CORS = []string{page} })
	f.do("PUT", "/v2/keys/a", "value=1")
	t.Run("a response with a tag", func(t *testing.T) {
		h := f.ask("GET", "/v2/keys/a?raw=true", map[string]string{"Origin": page}).Header()
		const want = "ETag, Link, X-Etcd-Index, X-Etcd-Cluster-Id, X-Raft-Index, X-Raft-Term, X-Pando-Oldest-Index"
		if got := h.Get("Access-Control-Expose-Headers"); got != want {
			t.Errorf("the page may read %q", got)
		}
		if got := h.Values("Vary"); !slices.Equal(got, []string{"Origin", "Accept"}) {
			t.Errorf("Vary is %q", got)
		}
	})
	t.Run("a plain response", func(t *testing.T) {
		h := f.ask("GET", "/v2/keys/a", map[string]string{"Origin": page}).Header()
		fresh := h["Access-Control-Expose-Headers"] != nil || h["Etag"] != nil || h["X-Pando-Oldest-Index"] != nil
		if fresh || !slices.Equal(h.Values("Vary"), []string{"Origin"}) {
			t.Errorf("got %v", h)
		}
	})
	for asked, want := range map[string]string{
		"content-type":             "accept, content-type, authorization",
		"Content-Type, If-Match":   "accept, content-type, authorization, if-match, if-none-match, last-event-id",
		"if-none-match":            "accept, content-type, authorization, if-match, if-none-match, last-event-id",
		"Last-Event-ID":            "accept, content-type, authorization, if-match, if-none-match, last-event-id",
		"x-if-match,if-match-else": "accept, content-type, authorization",
	} {
		t.Run("a request with "+asked, func(t *testing.T) {
			h := f.ask("OPTIONS", "/v2/keys/a", map[string]string{"Origin": page, "Access-Control-Request-Headers": asked}).Header()
			if got := h.Get("Access-Control-Allow-Headers"); got != want {
				t.Errorf("allowed are %q, want %q", got, want)
			}
		})
	}
}

// TestForwardedExtensions checks what an etcd gets of changes that it would not understand.
func TestForwardedExtensions(t *testing.T) {
	etcd := &recordingEtcd{respond: created}
	f, _ := newMirrorFixture(t, etcd.ServeHTTP)
	for _, tc := range []struct {
		name, method, target string
		header               http.Header
		body                 string
		uri, form            string // that the etcd gets
	}{
		{"a raw value", "PUT", "/v2/keys/a?raw=true&ttl=5", http.Header{"Content-Type": {"text/plain"}}, "a&b=\xff",
			"/v2/keys/a?raw=true&ttl=5", "value=a%26b%3D%FF&"},
		{"a tag", "PUT", "/v2/keys/a", http.Header{"Content-Type": {formType}, "If-Match": {`"7"`}}, "value=1",
			"/v2/keys/a", "prevIndex=7&value=1"},
		{"a tag without a form", "PUT", "/v2/keys/a?value=1", http.Header{"If-Match": {`"7"`}}, "", "/v2/keys/a?value=1", "prevIndex=7&"},
		{"any node", "PUT", "/v2/keys/a", http.Header{"Content-Type": {formType}, "If-Match": {`*`}}, "value=1",
			"/v2/keys/a", "prevExist=true&value=1"},
		{"no node", "PUT", "/v2/keys/a?raw=true", http.Header{"If-None-Match": {`*`}}, "1", "/v2/keys/a?raw=true", "prevExist=false&value=1&"},
		{"a removal", "DELETE", "/v2/keys/a?x=1", http.Header{"If-Match": {`"7"`}}, "", "/v2/keys/a?prevIndex=7&x=1", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if w := f.send(tc.method, tc.target, tc.body, tc.header); w.Code != http.StatusCreated {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if etcd.got.URL.RequestURI() != tc.uri || etcd.body != tc.form {
				t.Errorf("the etcd got %s %q, want %s %q", etcd.got.URL.RequestURI(), etcd.body, tc.uri, tc.form)
			}
			if kind := etcd.got.Header.Get("Content-Type"); tc.form != "" && kind != formType {
				t.Errorf("the type is %q", kind)
			}
		})
	}
	for _, tc := range []struct {
		name, method, target string
		header               http.Header
	}{
		{"several tags", "PUT", "/v2/keys/a", http.Header{"If-Match": {`"7", "8"`}}},
		{"a page through the quorum", "GET", "/v2/keys/?limit=1&quorum=true", http.Header{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			etcd.got = nil
			w := f.send(tc.method, tc.target, "", tc.header)
			if w.Code != http.StatusServiceUnavailable || etcd.got != nil || !strings.Contains(w.Body.String(), "follows an etcd") {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}
