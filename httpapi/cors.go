package httpapi

import (
	"net/http"
	"slices"
)

// cors decides which scripts of web pages may use the API. It adds the CORS headers to every response and answers OPTIONS.
type cors struct {
	any     bool // scripts of all origins may use the API
	origins map[string]struct{}
}

// The values of the headers. All responses share them, so they must not be changed.
var (
	corsMethods = []string{"POST, GET, OPTIONS, PUT, DELETE"}
	corsHeaders = []string{"accept, content-type, authorization"}
	corsAny     = []string{"*"}
	varyOrigin  = []string{"Origin"}
)

// newCORS returns a cors that allows the origins. "*" or an empty list allows all.
func newCORS(origins []string) cors {
	c := cors{origins: map[string]struct{}{}, any: len(origins) == 0}
	for _, o := range origins {
		if o == "*" {
			c.any = true
		}
		c.origins[o] = struct{}{}
	}
	return c
}

// wrap returns a handler that adds the CORS headers to the responses of next, and answers OPTIONS.
func (c cors) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.any { // a cache must not return the response for one origin to another
			w.Header()["Vary"] = varyOrigin
		}
		if origin := c.allowed(r); origin != nil && !forbidsScripts(r.URL.Path) {
			h := w.Header()
			h["Access-Control-Allow-Methods"] = corsMethods
			h["Access-Control-Allow-Headers"] = corsHeaders
			h["Access-Control-Allow-Origin"] = origin
		}
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusOK)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// allowed returns the value of Access-Control-Allow-Origin, or nil if the origin of the request is not allowed.
func (c cors) allowed(r *http.Request) []string {
	if c.any {
		return corsAny
	}
	origin := r.Header.Get("Origin")
	if _, ok := c.origins[origin]; ok {
		return []string{origin}
	}
	return nil
}

// protection returns a check that refuses changes that a browser sends for a web page of another origin, unless the list names the
// origin. "*" in the list does not allow such changes. Requests that do not come from a browser are allowed.
func (c cors) protection() *http.CrossOriginProtection {
	p := http.NewCrossOriginProtection()
	for origin := range c.origins {
		_ = p.AddTrustedOrigin(origin) // an error means that it is not an origin: no browser sends it
	}
	return p
}

// forbidsScripts reports whether a path belongs to a route with noScripts.
func forbidsScripts(path string) bool {
	return slices.ContainsFunc(noScriptPaths, func(pattern string) bool { return covers(pattern, path) })
}

// WithCORS returns a handler that adds the CORS headers of a member to the responses of next, and answers OPTIONS. Proxies use it.
func WithCORS(origins []string, next http.Handler) http.Handler { return newCORS(origins).wrap(next) }
