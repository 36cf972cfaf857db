package httpapi

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"pando/docs/openapi"
	"pando/docs/openapi/check"
)

// describedRoute is a route of the client URLs without the type of its handler.
type describedRoute struct{ path, methods string }

// clientURLRoutes returns all routes of the client URLs.
func clientURLRoutes() (routes []describedRoute) {
	for _, table := range [][]route[*process]{healthRoutes, metricsRoutes, versionRoutes, descriptionRoutes, profileRoutes, pageRoutes} {
		for _, line := range table {
			routes = append(routes, describedRoute{line.path, line.methods})
		}
	}
	for _, line := range clientRoutes {
		routes = append(routes, describedRoute{line.path, line.methods})
	}
	return routes
}

// TestEachRouteIsDescribed compares the tables of routes with the description of the API: each route must be described with each of its
// methods, and nothing else.
func TestEachRouteIsDescribed(t *testing.T) {
	description := check.Pando(t)
	served := map[string]bool{} // the described paths that a route serves
	for _, r := range clientURLRoutes() {
		methods := map[string]bool{}
		for _, template := range description.Paths() {
			if !r.serves(template) {
				continue
			}
			served[template] = true
			for _, method := range description.Methods(template) {
				methods[method] = true
				if r.methods != anyMethod && !allows(r.methods, method) {
					t.Errorf("docs/openapi/source describes %s %s, which the table of routes does not have", method, template)
				}
			}
		}
		for method := range strings.SplitSeq(r.methods, ",") {
			if method != "" && !methods[method] {
				t.Errorf("docs/openapi/source does not describe %s %s", method, r.path)
			}
		}
		if len(methods) == 0 {
			t.Errorf("docs/openapi/source does not describe %s", r.path)
		}
	}
	for _, template := range description.Paths() {
		if !served[template] && !description.Has(template, "x-pando-proxy") {
			t.Errorf("docs/openapi/source describes %s, which no table of routes has", template)
		}
	}
	if len(served) < 25 {
		t.Errorf("only %d paths are described", len(served))
	}
}

// serves reports whether the route serves a path of the description.
func (r describedRoute) serves(template string) bool {
	base, below := strings.CutSuffix(r.path, "/*")
	switch {
	case r.path == "/v2/keys":
		return template == r.path || strings.HasPrefix(template, r.path+"/")
	case below:
		return strings.HasPrefix(template, base+"/")
	}
	return template == r.path
}

// TestDescription reads the description.
func TestDescription(t *testing.T) {
	f := newFixture(t, nil)
	read := func(method, tag string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/openapi.json", nil)
		if tag != "" {
			r.Header.Set("If-None-Match", tag)
		}
		return f.serve(r)
	}
	tag := read("GET", "").Header().Get("Etag")
	for name, c := range map[string]struct {
		method, tag string
		status      int
		body        string
	}{
		"the first time":        {"GET", "", http.StatusOK, string(openapi.JSON)},
		"HEAD":                  {"HEAD", "", http.StatusOK, ""},
		"with the tag":          {"GET", `"x", W/` + tag, http.StatusNotModified, ""},
		"with a tag of another": {"GET", `"0"`, http.StatusOK, string(openapi.JSON)},
		"another method":        {"PUT", "", http.StatusMethodNotAllowed, "Method Not Allowed\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := read(c.method, c.tag)
			if body := w.Body.String(); w.Code != c.status || body != c.body && c.method != "HEAD" {
				t.Errorf("got %d and %d bytes", w.Code, len(body))
			}
		})
	}
	t.Run("before Open", func(t *testing.T) {
		server := NewServer(f.Config)
		w := httptest.NewRecorder()
		server.clients.Handler.ServeHTTP(w, httptest.NewRequest("GET", "/openapi.json", nil))
		if w.Code != http.StatusOK || !slices.Equal(w.Body.Bytes(), openapi.JSON) {
			t.Errorf("got %d and %d bytes", w.Code, w.Body.Len())
		}
	})
}
