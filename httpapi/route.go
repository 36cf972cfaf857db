package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"pando/httpapi/service"
	v2 "pando/httpapi/v2"
	"pando/stats"
)

// route is one line of the tables in routes.go: which requests are served, which web pages may use them, and how.
// T is the type whose methods serve them.
type route[T any] struct {
	path    string   // "/*" at its end stands for everything below
	methods string   // that are allowed, as the Allow header lists them; anyMethod for all
	access  access   // of web pages
	op      stats.Op // the metrics' label of a request with another method; uncounted if no request of the route is counted
	serve   handler[T]
}

// anyMethod leaves it to the handler to refuse methods.
const anyMethod = ""

// handler serves a request. It returns the labels of the request for the metrics: the operation, and the error that was
// answered or nil.
type handler[T any] func(to T, w http.ResponseWriter, r *http.Request) (stats.Op, error)

// uncounted is the operation of requests that are not in the metrics, such as those for the metrics.
const uncounted = service.Uncounted

// plain makes a handler of one whose requests are not counted.
func plain[T any](serve func(T, http.ResponseWriter, *http.Request)) handler[T] {
	return func(to T, w http.ResponseWriter, r *http.Request) (stats.Op, error) {
		serve(to, w, r)
		return uncounted, nil
	}
}

// access says what scripts of web pages may do with a route. Clients that are no browsers may use every route.
type access int

const (
	// scripts: pages of the origins of --cors may send requests and read the answers.
	scripts access = iota
	// ownScripts: like scripts, and a browser may not even send a change on behalf of a page of another origin.
	ownScripts
	// noScripts: no page may read the answers.
	noScripts
)

var (
	errMethod = errors.New("httpapi: method not allowed")
	errPage   = errors.New("httpapi: refused to a web page of another origin")
)

// binding is what routes are served with.
type binding[T any] struct {
	to T
	// metrics count the requests. They may be nil for a table whose routes are all uncounted.
	metrics *stats.Metrics
	// crossOrigin finds requests of pages of other origins, refusePage answers them. Both may be nil for a table
	// without ownScripts.
	crossOrigin *http.CrossOriginProtection
	refusePage  func(w http.ResponseWriter, reason error)
}

// mount adds a table of routes to a router.
func mount[T any](r chi.Router, table []route[T], b binding[T]) {
	for _, line := range table {
		r.HandleFunc(line.path, b.handler(line))
	}
}

// handler checks method and access, serves the request and counts it.
func (b binding[T]) handler(line route[T]) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		op, err := line.op, b.refuse(line, w, r)
		if err == nil {
			op, err = line.serve(b.to, w, r)
		}
		if op != uncounted {
			b.metrics.Observe(op, outcome(r, err), time.Since(start))
		}
		if err == http.ErrAbortHandler {
			panic(err)
		}
	}
}

// outcome returns what the metrics count for a request that was answered with err or without an error.
func outcome(r *http.Request, err error) stats.Outcome {
	if err != nil && errors.Is(r.Context().Err(), context.Canceled) {
		return stats.Canceled
	}
	return v2.Outcome(err)
}

// refuse answers a request that the route does not allow, and returns why; nil if the request is allowed.
func (b binding[T]) refuse(line route[T], w http.ResponseWriter, r *http.Request) error {
	if line.methods != anyMethod && !allows(line.methods, r.Method) {
		w.Header().Set("Allow", line.methods)
		refuseMethod(w)
		return errMethod
	}
	if line.access == ownScripts {
		if err := b.crossOrigin.Check(r); err != nil {
			b.refusePage(w, err)
			return errPage
		}
	}
	return nil
}

func refuseMethod(w http.ResponseWriter) {
	http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
}

// allows reports whether a list with commas contains the method.
func allows(list, method string) bool {
	for list != "" {
		var m string
		if m, list, _ = strings.Cut(list, ","); m == method {
			return true
		}
	}
	return false
}

func newRouter() chi.Router {
	r := chi.NewRouter()
	r.Use(routeByPath)
	r.NotFound(http.NotFound)
	return r
}

// routeByPath makes the router ignore the method: by itself it would refuse methods that it does not know, without an
// Allow header. It also sends all keys to one route without a wildcard, which would cost each request a map.
func routeByPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route := chi.RouteContext(r.Context())
		route.RouteMethod = http.MethodGet
		if strings.HasPrefix(r.URL.Path, v2.KeysPath+"/") {
			route.RoutePath = v2.KeysPath
		}
		next.ServeHTTP(w, r)
	})
}

// privatePaths lists the paths of a table that no script may read.
func privatePaths[T any](table []route[T]) []string {
	var paths []string
	for _, line := range table {
		if line.access == noScripts {
			paths = append(paths, line.path)
		}
	}
	return paths
}

// covers reports whether a path is the pattern of a route, or lies below it.
func covers(pattern, path string) bool {
	base, below := strings.CutSuffix(pattern, "/*")
	return path == base || below && strings.HasPrefix(path, base+"/")
}
