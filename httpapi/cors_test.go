package httpapi

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// ask serves a request of a browser, with the headers of the map.
func (f *fixture) ask(method, path string, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

// TestReadsOfPages checks which web pages may read responses.
func TestReadsOfPages(t *testing.T) {
	for _, tc := range []struct {
		name         string
		origins      []string
		method, path string
		origin       string // of the request; empty for none
		want         string // Access-Control-Allow-Origin
		varies       bool
	}{
		{"default, no page", nil, "GET", "/v2/keys", "", "*", false},
		{"default, a page", nil, "GET", "/v2/keys", "http://x", "", true},
		{"default, a page without an origin of its own", nil, "GET", "/v2/keys", "null", "", true},
		{"default, the question before", nil, "OPTIONS", "/v2/keys", "http://x", "*", false},
		{"default, the metrics", nil, "GET", "/metrics", "http://x", "", true},
		{"default, an error", nil, "GET", "/nothing", "http://x", "", true},
		{"all", []string{"*"}, "GET", "/v2/keys", "http://x", "*", false},
		{"all and a listed one", []string{"*", "http://x"}, "GET", "/v2/keys", "http://y", "*", true},
		{"listed", []string{"http://x"}, "GET", "/v2/keys", "http://x", "http://x", true},
		{"not listed", []string{"http://x"}, "GET", "/v2/keys", "http://y", "", true},
		{"listed, no page", []string{"http://x"}, "GET", "/v2/keys", "", "", true},
		{"not listed, the question before", []string{"http://x"}, "OPTIONS", "/v2/keys", "http://y", "", true},
		{"the state", []string{"*"}, "OPTIONS", "/v2/snapshot", "http://x", "", false},
		{"the profiles", []string{"http://x"}, "GET", "/debug/pprof/heap", "http://x", "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, func(c *MemberConfig) { c.CORS = tc.origins })
			header := map[string]string{}
			if tc.origin != "" {
				header["Origin"] = tc.origin
			}
			w := f.ask(tc.method, tc.path, header)
			if got := w.Header().Get("Access-Control-Allow-Origin"); got != tc.want {
				t.Errorf("Access-Control-Allow-Origin is %q, want %q", got, tc.want)
			}
			if got := w.Header().Values("Vary"); slices.Contains(got, "Origin") != tc.varies {
				t.Errorf("Vary is %q", got)
			}
		})
	}
}

// TestChangesOfPages checks which web pages may change anything. A form needs no script to send such a request.
func TestChangesOfPages(t *testing.T) {
	evil := map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://evil"}
	for _, tc := range []struct {
		name, method, path string
		header             map[string]string
		refused            bool
	}{
		{"curl", "POST", "/v2/members/1/leader", nil, false},
		{"a form of another site", "POST", "/v2/members/1/leader", evil, true},
		{"a form in an old browser", "POST", "/v2/members/1/leader", map[string]string{"Origin": "http://evil"}, true},
		{"a page of this server", "POST", "/v2/members/1/leader", map[string]string{"Origin": "http://example.com"}, false},
		{"the address bar", "DELETE", "/v2/keys/a", map[string]string{"Sec-Fetch-Site": "none"}, false},
		{"a listed origin", "PUT", "/v2/keys/a?value=1", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://good"}, false},
		{"a sandboxed page", "POST", "/v2/keys/a", map[string]string{"Origin": "null"}, true},
		{"a member", "DELETE", "/v2/members/1", evil, true},
		{"a key", "PUT", "/v2/keys/a", evil, true},
		{"a key in order", "POST", "/v2/keys/a", evil, true},
		{"a removal", "DELETE", "/v2/keys/a", evil, true},
		{"a user", "PUT", "/v2/auth/users/root", evil, true},
		{"the switch of auth", "DELETE", "/v2/auth/enable", evil, true},
		{"a read", "GET", "/v2/members", evil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, func(c *MemberConfig) { c.CORS = []string{"http://good", "*"} })
			w := f.ask(tc.method, tc.path, tc.header)
			if (w.Code == http.StatusForbidden) != tc.refused {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if !tc.refused {
				return
			}
			kind := `{"message":"`
			if strings.HasPrefix(tc.path, "/v2/keys") {
				kind = `{"errorCode":110,`
			}
			if body := w.Body.String(); !strings.HasPrefix(body, kind) || !strings.Contains(body, "--cors") {
				t.Errorf("the body is %s", body)
			}
			f.awaitMetric(t, `pando_requests_refused_total{reason="origin"} 1`)
		})
	}
}
