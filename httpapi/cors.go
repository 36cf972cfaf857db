package httpapi

import (
	"net/http"
	"slices"
	"strings"

	v2 "pando/httpapi/v2"
	"pando/stats"
	"pando/tree"
)

// cors decides what web pages of other origins may do (--cors). It adds the CORS headers to responses, answers OPTIONS, and refuses
// changes. Programs that are not browsers send neither Origin nor Sec-Fetch-Site, and nothing changes for them.
//
//   - Reading: a browser shows a response to a page only if the headers allow it. They allow the listed origins. With "*" in the list
//     they allow all origins. With an empty list, which is the default, they allow none. Responses to OPTIONS and to requests without
//     an Origin then still allow "*", as in the reference. Responses to OPTIONS are empty, and the others are not sent to pages.
//   - Changing: a browser sends some requests, such as those of a form, without an OPTIONS request before. So changes from other
//     origins are refused, unless the list names the origin. "*" does not count as a name.
type cors struct {
	any     bool                // "*" is in the list
	origins map[string]struct{} // the list without "*"
	changes *http.CrossOriginProtection
	refused func() // is called for each change that is refused
}

// The values of the headers. All responses share them, so they must not be changed.
var (
	corsMethods = []string{"POST, GET, OPTIONS, PUT, DELETE"}
	corsHeaders = []string{"accept, content-type, authorization"}
	// corsExtended is the value for requests that want to send headers that etcd does not have.
	corsExtended = []string{"accept, content-type, authorization, if-match, if-none-match, last-event-id"}
	corsAny      = []string{"*"}
	varyOrigin   = []string{"Origin"}
)

// newCORS returns a cors for a list of origins.
func newCORS(list []string, metrics *stats.Metrics) *cors {
	c := &cors{
		origins: map[string]struct{}{}, changes: http.NewCrossOriginProtection(),
		refused: func() { metrics.RequestRefused(stats.RefusedOrigin) },
	}
	for _, origin := range list {
		if origin == "*" {
			c.any = true
			continue
		}
		c.origins[origin] = struct{}{}
		_ = c.changes.AddTrustedOrigin(origin) // an error means that it is not an origin: no browser sends it
	}
	return c
}

// wrap returns a handler that adds the CORS headers to the responses of next, answers OPTIONS, and refuses changes from other origins.
func (c *cors) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header["Origin"]
		h := w.Header()
		if len(c.origins) > 0 || !c.any && origin != nil && r.Method != http.MethodOptions {
			h["Vary"] = varyOrigin // a cache must not return the response for one origin to another
		}
		if allowed := c.allowed(r.Method, origin); allowed != nil && !isUnreadable(r.URL.Path) {
			h["Access-Control-Allow-Methods"] = corsMethods
			h["Access-Control-Allow-Headers"] = allowedHeaders(r)
			h["Access-Control-Allow-Origin"] = allowed
		}
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusOK)
			return
		}
		if err := c.changes.Check(r); err != nil {
			c.refused()
			v2.WriteRefusal(w, r, http.StatusForbidden, tree.NewError(tree.CodeUnauthorized,
				"web pages of another origin may change nothing, unless --cors names the origin: "+err.Error()))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// allowed returns the value of Access-Control-Allow-Origin, or nil if the response has no CORS headers. origin is the Origin header.
func (c *cors) allowed(method string, origin []string) []string {
	switch {
	case c.any:
		return corsAny
	case len(c.origins) == 0 && (origin == nil || method == http.MethodOptions):
		return corsAny // the default
	case len(origin) == 1:
		if _, listed := c.origins[origin[0]]; listed {
			return origin
		}
	}
	return nil
}

// allowedHeaders returns the value of Access-Control-Allow-Headers. It has more headers than that of etcd only if an OPTIONS request asks
// for them.
func allowedHeaders(r *http.Request) []string {
	if r.Method != http.MethodOptions {
		return corsHeaders
	}
	for _, line := range r.Header["Access-Control-Request-Headers"] {
		for name := range strings.SplitSeq(strings.ToLower(line), ",") {
			switch strings.TrimSpace(name) {
			case "if-match", "if-none-match", "last-event-id":
				return corsExtended
			}
		}
	}
	return corsHeaders
}

// isUnreadable reports whether no web page may read the responses of a path, whatever --cors allows.
func isUnreadable(path string) bool {
	return slices.ContainsFunc(unreadablePaths, func(pattern string) bool { return covers(pattern, path) })
}

// WithCORS returns a function that adds the rules of cors to a handler. Proxies use it.
func WithCORS(origins []string, metrics *stats.Metrics) func(next http.Handler) http.Handler {
	return newCORS(origins, metrics).wrap
}
