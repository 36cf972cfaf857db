package httpapi

import (
	"strings"
	"testing"

	"pando/tree/users"
)

// TestIdentity reads /v2/auth/self as different senders.
func TestIdentity(t *testing.T) {
	f := newFixture(t, func(c *MemberConfig) { c.MaxFailedLogins = 0 })
	t.Run("auth disabled", func(t *testing.T) {
		if w := f.doAs("", "GET", "/v2/auth/self", ""); w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"enabled":false}` {
			t.Errorf("got %d, %s", w.Code, w.Body)
		}
	})
	f.enableAuth(t, role("app", "/app/*"), f.user(t, "alice", "app", "missing"), f.user(t, "none"))
	for _, test := range []struct {
		user   string
		status int
		want   string
	}{
		{"", 200, `{"enabled":true,"proof":"anonymous","roles":[{"role":"guest","permissions":{"kv":{"read":null,"write":null}}}]}`},
		{"alice", 200, `{"enabled":true,"user":"alice","proof":"password",` +
			`"roles":[{"role":"app","permissions":{"kv":{"read":["/app/*"],"write":["/app/*"]}}}]}`},
		{"none", 200, `{"enabled":true,"user":"none","proof":"password"}`},
		{"root", 200, `{"enabled":true,"user":"root","proof":"password",` +
			`"roles":[{"role":"root","permissions":{"kv":{"read":["/*"],"write":["/*"]}}}]}`},
		{"wrong", 401, `{"message":"Insufficient credentials"}`},
	} {
		t.Run("user "+test.user, func(t *testing.T) {
			w := f.doAs(test.user, "GET", "/v2/auth/self", "")
			if w.Code != test.status || strings.TrimSpace(w.Body.String()) != test.want {
				t.Errorf("got %d, %s", w.Code, w.Body)
			}
		})
	}
	t.Run("a change of the roles", func(t *testing.T) {
		f.changeUsers(t, users.Change{Op: users.PutUser, Name: "none", Grant: []string{"app"}})
		if w := f.doAs("none", "GET", "/v2/auth/self", ""); !strings.Contains(w.Body.String(), `"role":"app"`) {
			t.Errorf("got %d, %s", w.Code, w.Body)
		}
	})
}
