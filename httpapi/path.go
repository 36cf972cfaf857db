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
	if p[0] == '/' && !strings.Contains(p, "//") && !strings.Contains(p, "/.") {
		return p // the common case, decided without a copy
	}
	c := path.Clean("/" + p)
	if p[len(p)-1] == '/' && c != "/" {
		c += "/"
	}
	return c
}

// keyPath gives the tree's path for a clean URL path below prefix.
func keyPath(p, prefix string) string {
	p = strings.TrimSuffix(strings.TrimPrefix(p, prefix), "/")
	if p == "" {
		return "/"
	}
	return p
}

// allows reports whether a list with commas holds the method.
func allows(list, method string) bool {
	for m := range strings.SplitSeq(list, ",") {
		if m == method {
			return true
		}
	}
	return false
}
