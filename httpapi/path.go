package httpapi

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// cleanPath answers a path with empty, "." or ".." components by a redirect to
// the clean one, whatever the method, as the reference does. It also has the
// router look at the decoded path: an escaped slash separates like a plain
// one.
func cleanPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := r.URL.Path
		if c := clean(p); c != p && r.Method != http.MethodConnect {
			u := url.URL{Path: c, RawQuery: r.URL.RawQuery}
			http.Redirect(w, r, u.String(), http.StatusMovedPermanently)
			return
		}
		r.URL.RawPath = ""
		next.ServeHTTP(w, r)
	})
}

// clean gives the clean form of a path; a slash at the end stays.
func clean(p string) string {
	if p == "" {
		return "/"
	}
	if isClean(p) {
		return p // the common case, decided without a copy
	}
	c := path.Clean("/" + p)
	if p[len(p)-1] == '/' && c != "/" {
		c += "/"
	}
	return c
}

// isClean reports whether a path has neither empty components nor any that begin
// with a dot.
func isClean(p string) bool {
	for i := 1; i < len(p); i++ {
		if p[i-1] == '/' && (p[i] == '/' || p[i] == '.') {
			return false
		}
	}
	return p[0] == '/'
}

// keyPath gives the tree's path for a clean URL path below prefix.
func keyPath(p, prefix string) string {
	p = strings.TrimSuffix(strings.TrimPrefix(p, prefix), "/")
	if p == "" {
		return "/"
	}
	return p
}
