package proxy

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
)

// TestExtendedRequests checks that conditions, tags, links and 304s go through the proxy.
func TestExtendedRequests(t *testing.T) {
	member := newRecorder(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Etag"], h["Vary"] = []string{`"7"`}, []string{"Origin", "Accept"}
		h["Access-Control-Expose-Headers"], h["Content-Security-Policy"] = []string{"ETag, Link"}, []string{"sandbox"}
		if r.Header.Get("If-None-Match") == `"7"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Link", `</v2/keys/a?after=%2Fa%2Fb&limit=1>; rel="next"`)
		fmt.Fprintf(w, "%s %s", r.Header.Get("Accept"), r.Header.Get("If-Match"))
	})
	p := startProxy(t, newCluster(t, member.URL), nil)
	send := func(t *testing.T, header http.Header) *http.Response {
		t.Helper()
		r, err := http.NewRequest("GET", p.URL+"/v2/keys/a?limit=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = header
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	t.Run("a page", func(t *testing.T) {
		resp := send(t, http.Header{"Accept": {"application/octet-stream"}, "If-Match": {`"7"`}})
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		want := http.Header{
			"Etag": {`"7"`}, "Vary": {"Accept"}, "Link": {`</v2/keys/a?after=%2Fa%2Fb&limit=1>; rel="next"`},
			"Access-Control-Expose-Headers": {"ETag, Link"}, "Content-Security-Policy": {"sandbox"},
		}
		for name, values := range want {
			if !slices.Equal(resp.Header[name], values) {
				t.Errorf("%s is %q, want %q", name, resp.Header[name], values)
			}
		}
		if got := string(body); got != `application/octet-stream "7"` {
			t.Errorf("the member got %q", got)
		}
	})
	t.Run("not modified", func(t *testing.T) {
		if resp := send(t, http.Header{"If-None-Match": {`"7"`}}); resp.StatusCode != http.StatusNotModified || resp.Header.Get("Etag") != `"7"` {
			t.Errorf("got %s, %v", resp.Status, resp.Header)
		}
	})
}
