package conformance

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// The generator of sequences with auth on: several users change keys while their rights change. Few names are used, so that requests
// often meet the same users, roles and keys. The user root keeps its password, because the test needs it between the sequences.

// rootLogin is the user root with its password.
const rootLogin = "root:secret"

// authSequence generates the steps of a sequence that begins with enabling auth.
func (g *generator) authSequence(steps int) []*differentialStep {
	kinds := []struct {
		weight int
		step   func() *differentialStep
	}{
		{30, g.authorizedRead}, {22, g.authorizedWrite}, {6, g.authorizedWatch}, {14, g.putUser}, {14, g.putRole},
		{3, g.deleteAuth}, {3, g.readAuth}, {1, g.switchAuth}, {3, g.authorizedEndpoint},
	}
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	sequence := g.foundUsers()
	for len(sequence) < steps {
		n := g.IntN(total)
		for _, k := range kinds {
			if n -= k.weight; n < 0 {
				sequence = append(sequence, k.step())
				break
			}
		}
	}
	return sequence
}

// foundUsers generates the steps that make users, roles and keys, and enable auth.
func (g *generator) foundUsers() []*differentialStep {
	put := func(path string, body any) *differentialStep { return jsonStep("PUT", path, "", body) }
	guest := put("/v2/auth/roles/guest", roleBody{Role: "guest", Permissions: g.permissions()})
	steps := []*differentialStep{
		put("/v2/auth/users/root", userBody{User: "root", Password: "secret"}),
		put("/v2/auth/users/alice", userBody{User: "alice", Password: "a", Roles: g.roles()}),
		put("/v2/auth/users/bob", userBody{User: "bob", Password: "b", Roles: g.roles()}),
		put("/v2/auth/roles/r", roleBody{Role: "r", Permissions: g.permissions()}),
		put("/v2/auth/roles/s", roleBody{Role: "s", Permissions: g.permissions()}),
		{request: plainRequest("PUT", "/v2/keys/a/x?value=one")},
		{request: plainRequest("PUT", "/v2/keys/ab?value=two")},
	}
	if !g.oneIn(4) {
		steps = append(steps, guest)
	}
	return append(steps, &differentialStep{request: plainRequest("PUT", "/v2/auth/enable")})
}

// userBody and roleBody are bodies of requests.
type userBody struct {
	User     string   `json:"user"`
	Password string   `json:"password,omitempty"`
	Roles    []string `json:"roles,omitempty"`
	Grant    []string `json:"grant,omitempty"`
	Revoke   []string `json:"revoke,omitempty"`
}

type roleBody struct {
	Role        string           `json:"role"`
	Permissions *permissionsBody `json:"permissions,omitempty"`
	Grant       *permissionsBody `json:"grant,omitempty"`
	Revoke      *permissionsBody `json:"revoke,omitempty"`
}

type permissionsBody struct {
	KV map[string][]string `json:"kv"`
}

// jsonStep returns a step with a JSON body. login is "name:password", or empty.
func jsonStep(method, path, login string, body any) *differentialStep {
	text, _ := json.Marshal(body) // these types can always be encoded
	r := plainRequest(method, path)
	r.body, r.hasBody = string(text), true
	return &differentialStep{request: r.by(login)}
}

// by adds the header of a login to a request. Without a login the request is one of a guest.
func (r *transcriptRequest) by(login string) *transcriptRequest {
	if login != "" {
		r.headers = append(r.headers, "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(login)))
	}
	return r
}

// login returns the sender of a request for keys.
func (g *generator) login() string {
	if g.oneIn(12) {
		return g.pick("alice:wrong", "root:wrong", "nobody:x", "alice:", "alice", "guest:", "Alice:a")
	}
	return g.pick("", "", "alice:a", "alice:a", "alice:a", "bob:b", "bob:b", "bob:c", rootLogin)
}

// admin returns the sender of a request for users and roles.
func (g *generator) admin() string {
	if g.oneIn(8) {
		return g.login()
	}
	return rootLogin
}

func (g *generator) role() string { return g.pick("r", "r", "s", "s", "root", "guest", "none") }

// roles returns up to three names.
func (g *generator) roles() []string { return g.some(g.role) }

func (g *generator) some(name func() string) []string {
	var names []string
	for range []int{0, 1, 1, 1, 2, 3}[g.IntN(6)] {
		names = append(names, name())
	}
	return names
}

// pattern returns a pattern. It is never empty: the reference hangs up when it compares a key with an empty one.
func (g *generator) pattern() string {
	return g.pick("/*", "/a", "/a*", "/a/*", "/a/x", "/b*", "/ab", "/c/*", "/", "*", "a*", "/b/*/x", "/a/x*")
}

func (g *generator) permissions() *permissionsBody {
	kv := map[string][]string{}
	if !g.oneIn(6) {
		kv["read"] = g.some(g.pattern)
	}
	if !g.oneIn(6) {
		kv["write"] = g.some(g.pattern)
	}
	return &permissionsBody{kv}
}

func (g *generator) putUser() *differentialStep {
	name := g.pick("alice", "alice", "bob", "bob", "carol", "root")
	passwords := map[string]string{"alice": "a", "bob": g.pick("b", "c"), "carol": "x", "root": "secret"}
	body := userBody{User: name}
	switch g.IntN(6) {
	case 0:
		body.Password, body.Roles = passwords[name], g.roles()
	case 1:
		body.Password = passwords[name]
	case 2, 3:
		body.Grant = g.roles()
	default:
		body.Revoke = g.roles()
	}
	switch g.IntN(20) {
	case 0:
		body.Grant, body.Revoke = g.roles(), g.roles()
	case 1:
		body.Password = passwords[name]
	case 2:
		body.Roles = g.roles()
	case 3:
		body.User = "other"
	}
	return jsonStep("PUT", "/v2/auth/users/"+name, g.admin(), body)
}

func (g *generator) putRole() *differentialStep {
	body := roleBody{Role: g.role()}
	switch g.IntN(6) {
	case 0:
		body.Permissions = g.permissions()
	case 1, 2, 3:
		body.Grant = g.permissions()
	default:
		body.Revoke = g.permissions()
	}
	switch g.IntN(20) {
	case 0:
		body.Grant, body.Revoke = g.permissions(), g.permissions()
	case 1:
		body.Permissions = g.permissions()
	}
	return jsonStep("PUT", "/v2/auth/roles/"+body.Role, g.admin(), body)
}

func (g *generator) deleteAuth() *differentialStep {
	path := "/v2/auth/roles/" + g.role()
	if g.oneIn(2) {
		path = "/v2/auth/users/" + g.pick("alice", "bob", "carol", "nobody")
	}
	return &differentialStep{request: plainRequest("DELETE", path).by(g.admin())}
}

func (g *generator) readAuth() *differentialStep {
	path := "/v2/auth/" + g.pick("users", "roles", "users/alice", "users/bob", "users/carol", "users/root", "users/nobody", "roles/r",
		"roles/s", "roles/guest", "roles/root", "roles/none", "enable", "users/", "roles/r/", "users/a/b", "none", "")
	return &differentialStep{request: plainRequest(g.pick("GET", "GET", "GET", "HEAD", "POST"), path).by(g.admin())}
}

func (g *generator) switchAuth() *differentialStep {
	return &differentialStep{request: plainRequest(g.pick("PUT", "PUT", "DELETE"), "/v2/auth/enable").by(g.admin())}
}

// authKey returns the path of a key. Only reads have a trailing slash: there the servers differ, and a write would make their trees
// different.
func (g *generator) authKey() string {
	return g.pick("/a", "/a/x", "/a/x", "/a/y", "/ab", "/b", "/b/x", "/b/x/y", "/c/d", "/")
}

func (g *generator) authorizedRead() *differentialStep {
	key := g.authKey()
	if g.oneIn(15) && key != "/" {
		key += "/"
	}
	query := g.pick("", "", "", "?recursive=true", "?recursive=true&sorted=true", "?quorum=true", "?recursive=false", "?wait=x")
	r := plainRequest(g.pick("GET", "GET", "GET", "GET", "HEAD"), "/v2/keys"+key+query)
	return &differentialStep{request: r.by(g.login())}
}

func (g *generator) authorizedWrite() *differentialStep {
	login := g.login()
	target := "/v2/keys" + g.authKey()
	method, query := "PUT", "?value=one"
	switch g.IntN(8) {
	case 0:
		method = "POST"
	case 1, 2:
		method, query = "DELETE", g.pick("", "?recursive=true", "?dir=true", "?prevValue=one")
		if login == "" { // a recursive deletion by a guest differs, and would make the trees different
			query = strings.Replace(query, "?recursive=true", "", 1)
		}
	case 3:
		query = g.pick("?dir=true", "?dir=true&prevExist=true")
	case 4:
		query = g.pick("?value=two&prevValue=one", "?value=two&prevExist=true", "?value=two&prevExist=false", "?value=two&prevIndex={now}")
	case 5:
		query = g.pick("?ttl=x", "?refresh=true&prevExist=true", "?value=two&noValueOnSuccess=true")
	}
	return &differentialStep{request: plainRequest(method, target+query).by(login)}
}

func (g *generator) authorizedWatch() *differentialStep {
	query := "?wait=true" + g.pick("", "&recursive=true") + g.pick("", "", "&stream=true")
	query += g.pick("", "", "&waitIndex={now-2}", "&waitIndex={now+2}")
	return &differentialStep{request: plainRequest("GET", "/v2/keys"+g.authKey()+query).by(g.login()), watch: true}
}

// authorizedEndpoint returns a request outside of keys, users and roles.
func (g *generator) authorizedEndpoint() *differentialStep {
	r := plainRequest(g.pick("GET", "GET", "POST", "DELETE", "PUT"), g.pick("/v2/members", "/v2/members/ffff", "/v2/machines", "/health",
		"/v2/members/leader", "/v2/stats/leader"))
	return &differentialStep{request: r.by(g.login())}
}
