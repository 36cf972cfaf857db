package browser

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// TestKeysWithAuth uses the keys as a user who may read one subtree. Before the login the server refuses everything.
func TestKeysWithAuth(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	put(t, s, "/app/name", "public")
	put(t, s, "/secret/name", "hidden treasure")
	mustAs(t, s, "", "PUT", "/v2/auth/users/root", `{"user":"root","password":"root"}`)
	mustAs(t, s, "", "PUT", "/v2/auth/roles/app", `{"role":"app","permissions":{"kv":{"read":["/app*"],"write":["/app/*"]}}}`)
	mustAs(t, s, "", "PUT", "/v2/auth/users/alice", `{"user":"alice","password":"alice","roles":["app"]}`)
	mustAs(t, s, "", "PUT", "/v2/auth/enable", "")
	mustAs(t, s, "root", "PUT", "/v2/auth/roles/guest", `{"role":"guest","revoke":{"kv":{"read":["/*"],"write":["/*"]}}}`)
	response, err := http.Get(s.Client + "/v2/keys/app")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized || response.Header.Get("Www-Authenticate") != "" {
		t.Errorf("%s %v: the browser would open a login of its own", response.Status, response.Header)
	}
	p := openTab(t, page(s, "#/keys/app/name"), desktop)
	p.step("log in", func(*testing.T) {
		p.logIn("alice", "alice")
		p.see("public", "Logged in as alice")
	})
	p.step("the tree begins where she may read", func(*testing.T) {
		p.fill("Go to a path", "/app")
		p.press(kb.Enter)
		p.locate("treeitem", "name")
		p.see("Live")
		mustAs(t, s, "root", "PUT", "/v2/keys/app/second", "value=2")
		p.locate("treeitem", "second")
	})
	p.step("commands have her name, and never the password", func(t *testing.T) {
		p.click("treeitem", "second")
		p.click("button", "As a command")
		p.see("curl -u alice '"+s.Client, "-u alice get -- /app/second")
		var text string
		if p.eval(`document.documentElement.outerHTML`, &text); strings.Contains(text, "alice:alice") {
			t.Error("the page contains the password")
		}
	})
	p.step("what she may not read", func(t *testing.T) {
		p.visitFragment("#/keys/secret/name")
		p.see("You may not read /secret/name.")
		if p.shows("hidden treasure") {
			t.Error("the value is shown")
		}
	})
	p.step("what she may not write", func(*testing.T) {
		p.visitFragment("#/keys/app")
		p.click("button", "Set TTL")
		p.click("button", "Set the TTL")
		p.see("requires user authentication")
		p.press(kb.Escape)
	})
	p.step("a right that is lost", func(*testing.T) {
		p.visitFragment("#/keys/app/name")
		p.see("public", "Live")
		mustAs(t, s, "root", "PUT", "/v2/auth/users/alice", `{"user":"alice","revoke":["app"]}`)
		p.see("You may not read /app/name.")
		p.seeGone("public")
	})
}

// visitFragment goes to a fragment of the page as a link does, so that a login stays.
func (p *tab) visitFragment(fragment string) {
	p.t.Helper()
	p.eval(`location.hash = `+quote(fragment)+`; 0`, nil)
}
