package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"pando/tree"
	"pando/tree/users"
)

// The recorded transcripts check what /v2/auth answers. These tests check what only Pando has: limits, and errors of the log.

// putJSON sends a PUT of the user root with a JSON body.
func (f *fixture) putJSON(target, body string) (status int, response string) {
	w := f.doAs("root", "PUT", target, body)
	return w.Code, w.Body.String()
}

func TestUsersLimits(t *testing.T) {
	f := newFixture(t, nil)
	f.enableAuth(t)
	name := strings.Repeat("n", 20<<10)
	for what, test := range map[string]struct {
		target, body string
		status       int
		message      string
	}{
		"large body": {"/v2/auth/users/a", `{"user":"a","password":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "--max-request-bytes"},
		"long name":  {"/v2/auth/roles/" + name, `{"role":"` + name + `"}`, 400, "16 KiB"},
	} {
		t.Run(what, func(t *testing.T) {
			if status, body := f.putJSON(test.target, test.body); status != test.status || !strings.Contains(body, test.message) {
				t.Errorf("got %d, %.200s", status, body)
			}
		})
	}
	t.Run("a body without the right is not read", func(t *testing.T) {
		r := newRequestAs("", "PUT", "/v2/auth/users/a", "")
		r.Body = unreadable{}
		r.ContentLength = 5
		if w := f.serve(r); w.Code != http.StatusUnauthorized {
			t.Errorf("got %d, %s", w.Code, w.Body)
		}
	})
}

// unreadable is a body that panics when it is read.
type unreadable struct{}

func (unreadable) Read([]byte) (int, error) { panic("the body was read") }
func (unreadable) Close() error             { return nil }

func TestUsersWithoutLog(t *testing.T) {
	f := newFixture(t, nil)
	f.log.fail = tree.NewError(tree.CodeRaftInternal, "no quorum")
	const want = `{"message":"no quorum"}`
	for _, test := range []struct{ method, target, body string }{
		{"GET", "/v2/auth/enable", ""},
		{"GET", "/v2/auth/users", ""},
		{"GET", "/v2/auth/users/a", ""},
		{"GET", "/v2/auth/roles/a", ""},
		{"PUT", "/v2/auth/users/a", `{"user":"a","password":"x"}`},
		{"PUT", "/v2/auth/roles/a", `{"role":"a"}`},
		{"PUT", "/v2/auth/enable", ""},
		{"DELETE", "/v2/auth/roles/a", ""},
	} {
		if w := f.do(test.method, test.target, test.body); w.Code != http.StatusInternalServerError || w.Body.String() != want {
			t.Errorf("%s %s: %d, %s", test.method, test.target, w.Code, w.Body)
		}
	}
	f.awaitMetric(t, `pando_requests_total{operation="auth",outcome="internal"} 8`)
}

// TestManyUsers checks the lists of users and roles that are sent in pieces.
func TestManyUsers(t *testing.T) {
	const count = 2000
	f := newFixture(t, nil)
	for i := range count {
		user := users.Change{Op: users.PutUser, Name: fmt.Sprintf("user%04d", i), PasswordHash: "x", Roles: []string{"none", "role0000"}}
		f.changeUsers(t, role(fmt.Sprintf("role%04d", i), "/a*"), user)
	}
	var list struct {
		Users []struct {
			User  string
			Roles []struct{ Role string }
		}
		Roles []struct{ Role string }
	}
	for _, target := range []string{"/v2/auth/users", "/v2/auth/roles"} {
		w := f.do("GET", target, "")
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != http.StatusOK || !strings.HasSuffix(w.Body.String(), "}\n") {
			t.Fatalf("%s: %d, %v", target, w.Code, err)
		}
	}
	if n := len(list.Users); n != count || list.Users[n-1].User != "user1999" || len(list.Users[0].Roles) != 1 {
		t.Errorf("%d users", n)
	}
	if n := len(list.Roles); n != count+1 || list.Roles[n-1].Role != "root" {
		t.Errorf("%d roles", n)
	}
}
