package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

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

// TestMembersAreNotForWebPages checks which web pages may change the members. A form needs no script to send such a request.
func TestMembersAreNotForWebPages(t *testing.T) {
	for _, tc := range []struct {
		name, method, path string
		header             map[string]string
		refused            bool
	}{
		{"curl", "POST", "/v2/members/1/leader", nil, false},
		{"a form of another site", "POST", "/v2/members/1/leader", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://evil"},
			true},
		{"a form in an old browser", "POST", "/v2/members/1/leader", map[string]string{"Origin": "http://evil"}, true},
		{"a page of this server", "POST", "/v2/members/1/leader", map[string]string{"Origin": "http://example.com"}, false},
		{"a listed origin", "POST", "/v2/members/1/leader", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://good"}, false},
		{"a removal", "DELETE", "/v2/members/1", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://evil"}, true},
		{"a read", "GET", "/v2/members", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://evil"}, false},
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
