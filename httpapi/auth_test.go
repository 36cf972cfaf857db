package httpapi

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pando/tree"
	"pando/tree/users"
)

// enableAuth makes the user root, whose password is "secret", applies further changes, and enables auth. Guests have no rights.
func (f *fixture) enableAuth(t testing.TB, changes ...users.Change) {
	t.Helper()
	f.changeUsers(t, users.Change{Op: users.PutRole, Name: users.Guest}, f.user(t, "root", "root"))
	f.changeUsers(t, changes...)
	f.changeUsers(t, users.Change{Op: users.Enable})
}

// user returns the change that makes a user with roles. The password is "secret".
func (f *fixture) user(t testing.TB, name string, roles ...string) users.Change {
	t.Helper()
	hash, err := f.Service.Auth.Hash(t.Context(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	return users.Change{Op: users.PutUser, Name: name, PasswordHash: hash, Roles: roles}
}

func (f *fixture) changeUsers(t testing.TB, changes ...users.Change) {
	t.Helper()
	for i := range changes {
		c := tree.Command{Op: tree.OpUsers, Change: &changes[i], AuthRevision: f.log.tree.View().Users().Revision()}
		if _, err := f.log.Propose(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
	}
}

// role returns the change that makes a role with the rights to patterns.
func role(name string, patterns ...string) users.Change {
	var p users.Permissions
	for _, pattern := range patterns {
		p.Read = append(p.Read, users.ParsePattern(pattern))
		p.Write = append(p.Write, users.ParsePattern(pattern))
	}
	return users.Change{Op: users.PutRole, Name: name, Permissions: p}
}

// doAs is do with the password "secret" of a user; without a user it is do.
func (f *fixture) doAs(user, method, target, body string) *httptest.ResponseRecorder {
	return f.serve(newRequestAs(user, method, target, body))
}

func newRequestAs(user, method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if user != "" {
		r.SetBasicAuth(user, "secret")
	}
	if body != "" {
		r.Header.Set("Content-Type", formType)
	}
	return r
}

func (f *fixture) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

const refusedKey = `{"errorCode":110,"message":"The request requires user authentication",` +
	`"cause":"Insufficient credentials","index":0}` + "\n"

func TestUnauthorized(t *testing.T) {
	f := newFixture(t, func(c *MemberConfig) { c.Pprof = On })
	f.enableAuth(t, role("r", "/a*"), f.user(t, "alice", "r"))
	const message = `{"message":"Insufficient credentials"}`
	for _, test := range []struct{ user, method, target, want string }{
		{"", "GET", "/v2/keys/a", refusedKey},
		{"", "GET", "/v2/keys/a?quorum=true", refusedKey},
		{"", "GET", "/v2/keys/a?wait=true", refusedKey},
		{"alice", "PUT", "/v2/keys/b", refusedKey},
		{"alice", "DELETE", "/v2/keys/?recursive=true", refusedKey},
		{"alice", "POST", "/v2/members", message},
		{"alice", "DELETE", "/v2/members", message},
		{"alice", "PUT", "/v2/members/zz", message},
		{"alice", "POST", "/v2/members/1/leader", message},
		{"alice", "GET", "/v2/snapshot", message},
		{"alice", "GET", "/debug/pprof/", message},
		{"", "GET", "/debug/pprof/cmdline", message},
	} {
		t.Run(test.user+" "+test.method+" "+test.target, func(t *testing.T) {
			w := f.doAs(test.user, test.method, test.target, "")
			if w.Code != http.StatusUnauthorized || w.Body.String() != test.want || w.Header().Get("Www-Authenticate") != "" {
				t.Errorf("got %d, %q, %v", w.Code, w.Body, w.Header())
			}
		})
	}
	f.awaitMetric(t, `pando_requests_total{operation="get",outcome="unauthorized"} 1`)
}

// TestHeadersOfUnauthorized compares the headers of a refused request with those of the reference.
func TestHeadersOfUnauthorized(t *testing.T) {
	f := newFixture(t, nil)
	f.enableAuth(t)
	h := f.do("GET", "/v2/keys/a", "").Header()
	for name, want := range map[string]string{
		"X-Etcd-Index": "0", "X-Raft-Index": "", "Content-Type": "application/json", "X-Etcd-Cluster-Id": "c1",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestOpenRoutes checks the routes that need no login.
func TestOpenRoutes(t *testing.T) {
	f := newFixture(t, nil)
	f.enableAuth(t)
	for _, target := range []string{
		"/version", "/health", "/metrics", "/v2/machines", "/v2/members", "/v2/members/leader", "/v2/stats/self", "/v2/stats/store",
	} {
		for _, user := range []string{"", "nobody"} {
			if w := f.doAs(user, "GET", target, ""); w.Code != http.StatusOK {
				t.Errorf("%q: %s: %d, %s", user, target, w.Code, w.Body)
			}
		}
	}
}

func TestTooManyAttempts(t *testing.T) {
	f := newFixture(t, func(c *MemberConfig) { c.MaxFailedLogins = 1 })
	f.enableAuth(t, role("r", "/a*"), f.user(t, "alice", "r"))
	if w := f.doAs("alice", "PUT", "/v2/keys/a", "value=1"); w.Code != http.StatusCreated {
		t.Fatalf("got %d, %s", w.Code, w.Body)
	}
	for i := range 40 { // each with another password
		r := httptest.NewRequest("GET", "/v2/keys/a", nil)
		r.SetBasicAuth("alice", strings.Repeat("x", i+1))
		w := f.serve(r)
		if w.Code == http.StatusUnauthorized {
			continue
		}
		const want = `{"errorCode":110,"message":"The request requires user authentication",` +
			`"cause":"too many failed logins, try again later","index":0}` + "\n"
		if w.Code != http.StatusTooManyRequests || w.Body.String() != want || w.Header().Get("Retry-After") != "1" {
			t.Errorf("got %d, %s, %v", w.Code, w.Body, w.Header())
		}
		r.Method, r.URL.Path = "DELETE", "/v2/members/1"
		w = f.serve(r)
		if w.Code != http.StatusTooManyRequests || w.Body.String() != `{"message":"too many failed logins, try again later"}` {
			t.Errorf("got %d, %s", w.Code, w.Body)
		}
		if w := f.doAs("alice", "GET", "/v2/keys/a", ""); w.Code != http.StatusOK {
			t.Errorf("the user is locked out: %d, %s", w.Code, w.Body)
		}
		return
	}
	t.Error("no login was refused")
}

// TestClientCertificates checks who a request with a certificate comes from.
func TestClientCertificates(t *testing.T) {
	f := newFixture(t, func(c *MemberConfig) { c.ClientCertificates = true }) // guests have no rights
	f.enableAuth(t, role("r", "/a*"), f.user(t, "alice", "r"), f.user(t, "bob"))
	f.doAs("root", "PUT", "/v2/keys/a", "value=1")
	chain := func(names ...string) *tls.ConnectionState {
		var certificates []*x509.Certificate
		for _, name := range names {
			certificates = append(certificates, &x509.Certificate{Subject: pkix.Name{CommonName: name}})
		}
		return &tls.ConnectionState{PeerCertificates: certificates, VerifiedChains: [][]*x509.Certificate{certificates}}
	}
	for name, test := range map[string]struct {
		user   string
		tls    *tls.ConnectionState
		header string
		status int
	}{
		"the user":                 {"", chain("alice", "ca"), "", http.StatusOK},
		"a user without roles":     {"", chain("bob", "ca"), "", http.StatusUnauthorized},
		"no user":                  {"", chain("dave", "ca"), "", http.StatusUnauthorized},
		"the CA has a user's name": {"", chain("dave", "alice"), "", http.StatusUnauthorized},
		"a password wins":          {"alice", chain("bob", "ca"), "", http.StatusOK},
		"a wrong password":         {"dave", chain("alice", "ca"), "", http.StatusUnauthorized},
		"passed on by a proxy":     {"", chain("alice", "ca"), "Via", http.StatusUnauthorized},
		"no name":                  {"", chain("", "ca"), "", http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRequestAs(test.user, "GET", "/v2/keys/a", "")
			r.TLS = test.tls
			if test.header != "" {
				r.Header.Set(test.header, "1.1 proxy")
			}
			if w := f.serve(r); w.Code != test.status {
				t.Errorf("got %d, %s", w.Code, w.Body)
			}
		})
	}
}

// TestProfilesBeforeOpen checks that nobody gets a profile before the users are known.
func TestProfilesBeforeOpen(t *testing.T) {
	for noUsers, status := range map[bool]int{false: http.StatusServiceUnavailable, true: http.StatusOK} {
		s := newTestServer(0)
		s.process.pprof = On
		s.cfg.NoUsers = noUsers
		w := httptest.NewRecorder()
		s.clientHandler().ServeHTTP(w, httptest.NewRequest("GET", "/debug/pprof/cmdline", nil))
		if w.Code != status {
			t.Errorf("NoUsers %v: %d, %s", noUsers, w.Code, w.Body)
		}
	}
}
