package httpapi

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	v2 "pando/httpapi/v2"
	"pando/tree/users"
)

// accessOf returns the accesses of a table by the paths of its routes.
func accessOf[T any](table []route[T]) map[string]access {
	all := map[string]access{}
	for _, line := range table {
		all[line.path] = line.access
	}
	return all
}

// memberAccess returns the accesses of all routes that a member serves.
func memberAccess() map[string]access {
	all := map[string]access{}
	for _, table := range []map[string]access{
		accessOf(healthRoutes), accessOf(metricsRoutes), accessOf(versionRoutes), accessOf(descriptionRoutes), accessOf(profileRoutes),
		accessOf(clientRoutes), accessOf(gatewayRoutes), accessOf(peerRoutes), raftAccess,
	} {
		for path, a := range table {
			all[path] = a
		}
	}
	return all
}

// registerAll registers the routes of raftAccess, as package raft does.
func registerAll(handle func(pattern string, h http.HandlerFunc)) {
	for path := range raftAccess {
		handle(path, func(http.ResponseWriter, *http.Request) {})
	}
}

// TestEachRouteHasAnAccess walks the routers. Each route must be in the tables, with the rights for reading and changing.
func TestEachRouteHasAnAccess(t *testing.T) {
	f := newFixture(t, nil)
	access, found := memberAccess(), map[string]bool{}
	for name, router := range map[string]chi.Router{
		"client": f.clientRouter(), "metrics": f.metricsRouter(), "peer": f.peerRouter(registerAll),
	} {
		err := chi.Walk(router, func(_, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
			found[pattern] = true
			if a, ok := access[pattern]; !ok || a.read == undecided || a.change == undecided {
				t.Errorf("the router of the %s URLs serves %s, and no table says who may use it", name, pattern)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	for path := range access {
		if !found[path] {
			t.Errorf("%s is in a table and not served", path)
		}
	}
	if !found["/v2/keys"] || !found["/raft/stream"] || len(found) < 15 {
		t.Errorf("only %d routes found", len(found))
	}
	t.Run("an unknown route of package raft", func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("it was registered")
			}
		}()
		f.peerRouter(func(handle func(string, http.HandlerFunc)) { handle("/raft/new", nil) })
	})
}

// TestAccess sends requests to each route of the client URLs while auth is enabled. They must be refused exactly as the table says.
func TestAccess(t *testing.T) {
	f := newFixture(t, func(c *MemberConfig) {
		c.Pprof = On
		c.Service.Snapshots = fixedSnapshots{err: errors.New("no snapshot in this test")}
		c.BodyTimeout, c.MaxFailedLogins = time.Minute, 0
	})
	f.enableAuth(t, role("all", "/*"), f.user(t, "keys", "all"), f.user(t, "plain"))
	allowed := func(needs right, user string) bool {
		return needs == public || needs == identified && user != "wrong" || user == "root" || needs == byRole && user == "keys"
	}
	for _, line := range slices.Concat(linesOf(clientRoutes), linesOf(profileRoutes), linesOf(versionRoutes), linesOf(descriptionRoutes)) {
		for _, method := range line.methods {
			needs := line.access.change
			if method == "GET" || method == "HEAD" {
				needs = line.access.read
			}
			for _, user := range []string{"", "plain", "keys", "wrong", "root"} {
				t.Run(method+" "+line.path+" "+user, func(t *testing.T) {
					r := newRequestAs(user, method, line.path, "")
					if line.path == v2.TxnPath {
						r = txnRequest(user, `{"then":[{"action":"set","key":"/a"}]}`)
					}
					w := f.serve(r)
					if refused := w.Code == http.StatusUnauthorized; refused == allowed(needs, user) {
						t.Errorf("got %d %s; the table says %+v", w.Code, w.Body, line.access)
					}
				})
			}
		}
	}
	if !f.log.tree.View().Users().Enabled() {
		t.Error("a request has disabled auth")
	}
	if f.log.tree.View().Users().User(users.Root) == nil {
		t.Error("a request has deleted the user root")
	}
}

// accessLine is a route without the type of its handler.
type accessLine struct {
	path    string
	methods []string
	access  access
}

// linesOf returns the routes of a table that TestAccess sends requests to. Paths below a route get a name. The switch of auth is left
// on.
func linesOf[T any](table []route[T]) []accessLine {
	var lines []accessLine
	for _, r := range table {
		line := accessLine{strings.Replace(r.path, "/*", "/1", 1), strings.Split(r.methods, ","), r.access}
		switch {
		case r.path == "/v2/auth/enable":
			line.methods = []string{"GET", "PUT"}
		case strings.HasPrefix(r.path, "/v2/auth/") && strings.HasSuffix(r.path, "/*"):
			line.methods = []string{"GET", "PUT", "DELETE"}
		case strings.HasPrefix(r.path, "/v2/auth/"):
			line.methods = []string{"GET"}
		case r.methods == anyMethod:
			line.methods = []string{"GET", "POST"}
		}
		if strings.HasPrefix(r.path, "/debug/pprof/") {
			line.path = "/debug/pprof/cmdline"
		}
		lines = append(lines, line)
	}
	return lines
}
