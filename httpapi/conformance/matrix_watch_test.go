package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pando/members/servertest"
)

// The tests of this file change rights on one member of a cluster while watches are open on all members.

// watchKind is a way in which a client can watch.
type watchKind struct {
	name   string
	tls    bool
	http2  bool
	stream bool
}

var watchKinds = []watchKind{
	{name: "long poll"}, {name: "stream", stream: true},
	{name: "long poll over TLS", tls: true}, {name: "stream over TLS", tls: true, stream: true},
	{name: "long poll over HTTP/2", tls: true, http2: true}, {name: "stream over HTTP/2", tls: true, http2: true, stream: true},
}

// authCluster is a cluster of three members with auth enabled. The users are root, stays and leaves, with their names as passwords.
// stays and leaves may read and write everything below /a. Guests have no rights.
type authCluster struct {
	t         *testing.T
	processes []*servertest.Process
	tlsURLs   []string
	clients   map[bool]*http.Client // by watchKind.http2
}

func startAuthCluster(t *testing.T) *authCluster {
	t.Helper()
	pki := servertest.NewPKI(t)
	server := pki.Issue(t, "server")
	c := &authCluster{t: t}
	members := servertest.NewMembers(t, "one", "two", "three")
	for i := range members {
		url := "https://" + servertest.FreeAddr(t)
		c.tlsURLs = append(c.tlsURLs, url)
		members[i].More = append(pki.ServerFlags(server, ""), "--listen-client-urls", members[i].ClientURL()+","+url)
	}
	for _, m := range members {
		c.processes = append(c.processes, m.StartPando(t, "--initial-cluster", servertest.InitialCluster(members)))
	}
	for _, m := range members {
		servertest.AwaitPublished(t, m.ClientURL(), len(members))
		servertest.AwaitReplicated(t, members[0].ClientURL(), m.ClientURL())
	}
	withHTTP1 := &http.Transport{TLSClientConfig: pki.ClientConfig(t, nil), DisableKeepAlives: true}
	t.Cleanup(withHTTP1.CloseIdleConnections)
	c.clients = map[bool]*http.Client{true: pki.HTTPClient(t, nil), false: {Transport: withHTTP1}}
	c.must("", "PUT", "/v2/auth/roles/guest", `{"role":"guest"}`)
	c.must("", "PUT", "/v2/auth/roles/r", `{"role":"r","permissions":{"kv":{"read":["/a*"],"write":["/a*"]}}}`)
	c.must("", "PUT", "/v2/auth/roles/other", `{"role":"other","permissions":{"kv":{"read":["/a*"],"write":["/a*"]}}}`)
	for user, roles := range map[string]string{"root": `["root"]`, "stays": `["other"]`, "leaves": `["r"]`} {
		c.must("", "PUT", "/v2/auth/users/"+user, fmt.Sprintf(`{"user":%q,"password":%q,"roles":%s}`, user, user, roles))
	}
	c.must("", "PUT", "/v2/auth/enable", "")
	return c
}

// must sends a request to the first member as a user, or without credentials if user is empty. A refusal fails the test.
func (c *authCluster) must(user, method, path, body string) {
	c.t.Helper()
	login := ""
	if user != "" {
		login = user + ":" + user
	}
	mustAs(c.t, login, method, c.processes[0].Client+path, body)
}

// rightsWatch is a watch whose response has begun.
type rightsWatch struct {
	name    string
	stream  bool
	body    io.ReadCloser
	decoder *json.Decoder
}

// watchObject is one JSON object of a response: an event or an error.
type watchObject struct {
	Node      struct{ Value string }
	ErrorCode int
}

// next reads the next object of the response.
func (w *rightsWatch) next() (o watchObject, err error) {
	err = w.decoder.Decode(&o)
	return o, err
}

// open opens watches of /a of each kind as a user on all members.
func (c *authCluster) open(user string) []*rightsWatch {
	c.t.Helper()
	var all []*rightsWatch
	for i, p := range c.processes {
		for _, kind := range watchKinds {
			base := p.Client
			if kind.tls {
				base = c.tlsURLs[i]
			}
			request, err := http.NewRequest("GET", fmt.Sprintf("%s/v2/keys/a?wait=true&recursive=true&stream=%t", base, kind.stream), nil)
			if err != nil {
				c.t.Fatal(err)
			}
			request.SetBasicAuth(user, user)
			w := &rightsWatch{name: fmt.Sprintf("%s of %s on member %d", kind.name, user, i), stream: kind.stream}
			// A member that lags behind does not have the user yet.
			servertest.Await(c.t, w.name, func() bool {
				response, err := c.clients[kind.http2].Do(request) //nolint:bodyclose // rightsWatch has it
				if err != nil {
					c.t.Fatal(err)
				}
				if response.StatusCode != http.StatusOK || (response.ProtoMajor == 2) != kind.http2 {
					_ = response.Body.Close()
					return false
				}
				w.body, w.decoder = response.Body, json.NewDecoder(response.Body)
				return true
			})
			c.t.Cleanup(func() { _ = w.body.Close() })
			all = append(all, w)
		}
	}
	return all
}

// TestWatchesEndWithTheRight revokes the right of a user on one member, in different ways. The watches of the user on all members must end
// with error 110, without an event after the change. The watches of another user must go on.
func TestWatchesEndWithTheRight(t *testing.T) {
	servertest.SkipShort(t, "it starts a cluster")
	t.Parallel()
	c := startAuthCluster(t)
	give := func() { c.must("root", "PUT", "/v2/auth/roles/r", `{"role":"r","grant":{"kv":{"read":["/a*"]}}}`) }
	for _, test := range []struct {
		name, path, body string
		restore          func()
	}{
		{"the role loses the pattern", "PUT /v2/auth/roles/r", `{"role":"r","revoke":{"kv":{"read":["/a*"]}}}`, give},
		{"the user loses the role", "PUT /v2/auth/users/leaves", `{"user":"leaves","revoke":["r"]}`, func() {
			c.must("root", "PUT", "/v2/auth/users/leaves", `{"user":"leaves","grant":["r"]}`)
		}},
		{"another password", "PUT /v2/auth/users/leaves", `{"user":"leaves","password":"other"}`, func() {
			c.must("root", "PUT", "/v2/auth/users/leaves", `{"user":"leaves","password":"leaves"}`)
		}},
		{"the user is deleted", "DELETE /v2/auth/users/leaves", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.t = t
			leaves, stays := c.open("leaves"), c.open("stays")
			method, path, _ := strings.Cut(test.path, " ")
			c.must("root", method, path, test.body)
			c.must("root", "PUT", "/v2/keys/a/after", "value=secret")
			for _, w := range leaves {
				if o, err := w.next(); err != nil || o.ErrorCode != 110 || o.Node.Value != "" {
					t.Errorf("%s: %+v, %v", w.name, o, err)
				}
				if o, err := w.next(); err != io.EOF {
					t.Errorf("%s: %+v, %v after the error", w.name, o, err)
				}
			}
			for _, w := range stays {
				if o, err := w.next(); err != nil || o.Node.Value != "secret" {
					t.Errorf("%s: %+v, %v", w.name, o, err)
				}
			}
			if test.restore != nil {
				test.restore()
			}
		})
	}
}

// TestEnablingEndsWatches enables auth while watches are open. Their requests named a user, but no member has verified the password: the
// watches must end like those of guests.
func TestEnablingEndsWatches(t *testing.T) {
	servertest.SkipShort(t, "it starts a cluster")
	t.Parallel()
	c := startAuthCluster(t)
	c.must("root", "DELETE", "/v2/auth/enable", "")
	watches := c.open("stays")
	c.must("", "PUT", "/v2/auth/enable", "")
	for _, w := range watches {
		if o, err := w.next(); err != nil || o.ErrorCode != 110 {
			t.Errorf("%s: %+v, %v", w.name, o, err)
		}
	}
	var names []string
	for _, w := range c.open("stays") {
		names = append(names, w.name)
	}
	if slices.Sort(names); len(slices.Compact(names)) != len(watchKinds)*len(c.processes) {
		t.Errorf("got %v", names)
	}
}
