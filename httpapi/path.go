package httpapi

import (
	"net/http"
	"net/url"
	"path"
)

// cleanPath redirects a request whose path has empty, "." or ".." components to the clean path, whatever its method, as the
// reference does. It also makes the router use the decoded path: an escaped slash separates components like a plain one.
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

// clean returns the clean form of a path. It keeps a slash at the end.
func clean(p string) string {
	if p == "" {
		return "/"
	}
	if isClean(p) {
		return p // the common case, without a copy
	}
	c := path.Clean("/" + p)
	if p[len(p)-1] == '/' && c != "/" {
		c += "/"
	}
	return c
}

// isClean reports whether a path begins with a slash, has no empty components, and has none that begin with a dot. Such a path is
// clean. Some clean paths, such as "/.hidden", are not recognized.
func isClean(p string) bool {
	for i := 1; i < len(p); i++ {
		if p[i-1] == '/' && (p[i] == '/' || p[i] == '.') {
			return false
		}
	}
	return p[0] == '/'
}
