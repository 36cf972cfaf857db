package httpapi

import (
	"net/http"
	"slices"
)

// cors puts the headers on every answer that let a browser's script read it,
// and answers OPTIONS.
type cors struct {
	any     bool
	origins map[string]struct{}
}

// The headers' values, shared by all answers: nobody changes them.
var (
	corsMethods = []string{"POST, GET, OPTIONS, PUT, DELETE"}
	corsHeaders = []string{"accept, content-type, authorization"}
	corsAny     = []string{"*"}
	varyOrigin  = []string{"Origin"}
)

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

func (c cors) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.any { // a cache must not give one origin's answer to another
			w.Header()["Vary"] = varyOrigin
		}
		if origin := c.allowed(r); origin != nil && !isScriptless(r.URL.Path) {
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

// protection refuses requests that a web page of another origin makes a browser send, but
// for origins that were listed. It lets through what is no browser's.
func (c cors) protection() *http.CrossOriginProtection {
	p := http.NewCrossOriginProtection()
	for origin := range c.origins {
		_ = p.AddTrustedOrigin(origin) // what is no origin, as * is none, no browser sends
	}
	return p
}

// isScriptless reports whether no script may read the answers of a path, whatever its origin.
func isScriptless(path string) bool {
	return slices.ContainsFunc(scriptless, func(pattern string) bool { return covers(pattern, path) })
}

// allowed gives the value of Access-Control-Allow-Origin, or nil for an origin
// that is not allowed.
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

// WithCORS puts the headers for the origins on the answers of next, and answers
// OPTIONS itself: what a member does, for the proxy before it.
func WithCORS(origins []string, next http.Handler) http.Handler { return newCORS(origins).wrap(next) }
