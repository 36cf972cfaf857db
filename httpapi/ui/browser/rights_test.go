package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
)

// TestRightsAgreeWithServer compares what the page says about patterns with what the server does.
func TestRightsAgreeWithServer(t *testing.T) {
	s := startServer(t)
	patterns := []string{"*", "/*", "/a", "/a*", "/a/*", "/a/b*", "/a*b"}
	paths := []string{"/", "/a", "/ab", "/a/b", "/a/b/c", "/b"}
	mustAs(t, s, "", http.MethodPut, "/v2/auth/users/root", `{"user":"root","password":"root"}`)
	for i, pattern := range patterns {
		name := fmt.Sprint("u", i)
		role := map[string]any{"role": name, "permissions": map[string]any{"kv": map[string]any{"read": []string{pattern}}}}
		body, err := json.Marshal(role)
		if err != nil {
			t.Fatal(err)
		}
		mustAs(t, s, "", http.MethodPut, "/v2/auth/roles/"+name, string(body))
		mustAs(t, s, "", http.MethodPut, "/v2/auth/users/"+name, fmt.Sprintf(`{"user":%q,"password":%q,"roles":[%q]}`, name, name, name))
	}
	mustAs(t, s, "", http.MethodPut, "/v2/auth/enable", "")
	var cases []rightsCase
	for i, pattern := range patterns {
		for _, path := range paths {
			for _, subtree := range []bool{false, true} {
				target := "/v2/keys" + (&url.URL{Path: path}).EscapedPath() + fmt.Sprint("?recursive=", subtree)
				status, _ := sendAs(t, s, fmt.Sprint("u", i), http.MethodGet, target, "")
				cases = append(cases, rightsCase{pattern, path, subtree, status != http.StatusUnauthorized})
			}
		}
	}
	list, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	var wrong []rightsCase
	openTab(t, page(s, "#/users"), desktop).eval(fmt.Sprintf(
		`import("./rights.js").then((m) => %s.filter((c) => m.covers(c.Pattern, c.Path, c.Subtree) !== c.Allowed))`, list), &wrong)
	for _, c := range wrong {
		t.Errorf("pattern %q, path %q, subtree %t: the server says %t, but the page does not", c.Pattern, c.Path, c.Subtree, c.Allowed)
	}
}

// rightsCase is whether a server lets a user with one pattern read a path, or with Subtree everything at and below it.
type rightsCase struct {
	Pattern, Path    string
	Subtree, Allowed bool
}
