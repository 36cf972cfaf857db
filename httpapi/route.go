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

// route is one line of the tables in routes.go. T is the type whose methods serve the requests.
type route[T any] struct {
	path    string   // a path that ends in "/*" also matches all paths below
	methods string   // the allowed methods as in the Allow header, or anyMethod
	access  access   // what web pages may do
	op      stats.Op // the operation that is counted for a refused request; uncounted if no request of the route is counted
	serve   handler[T]
}

// anyMethod allows all methods. The handler may refuse some.
const anyMethod = ""

// handler serves a request. It returns the operation and the result for the metrics: nil, or the error with which it responded.
// The error http.ErrAbortHandler makes net/http break the connection.
type handler[T any] func(target T, w http.ResponseWriter, r *http.Request) (stats.Op, error)

// uncounted is the operation of requests that are not in the metrics, such as those for the metrics.
const uncounted = service.Uncounted

// plain makes a handler of a method without results. Its requests are not counted.
func plain[T any](serve func(T, http.ResponseWriter, *http.Request)) handler[T] {
	return func(target T, w http.ResponseWriter, r *http.Request) (stats.Op, error) {
		serve(target, w, r)
		return uncounted, nil
	}
}

// access says what web pages may do with a route. Programs that are not browsers may use every route.
type access int

const (
	// scripts allows scripts of the origins of --cors to send requests and to read the responses.
	scripts access = iota
	// scriptsGuarded is like scripts, but refuses changes that a browser sends for a page of another origin, unless --cors names
	// the origin.
	scriptsGuarded
	// noScripts allows no script to read the responses.
	noScripts
)

var (
	errMethod      = errors.New("httpapi: method not allowed")
	errOtherOrigin = errors.New("httpapi: change from a web page of another origin")
)

// binding connects a table of routes with the value whose methods serve it.
type binding[T any] struct {
	target T
	// metrics may be nil if all routes of the table are uncounted.
	metrics *stats.Metrics
	// crossOrigin finds changes from pages of other origins, and refuseOtherOrigin answers them. Both may be nil if no route of
	// the table has scriptsGuarded.
	crossOrigin       *http.CrossOriginProtection
	refuseOtherOrigin func(w http.ResponseWriter, reason error)
}

// mount adds a table of routes to a router.
func mount[T any](r chi.Router, table []route[T], b binding[T]) {
	for _, line := range table {
		r.HandleFunc(line.path, b.handler(line))
	}
}

// handler returns the http.HandlerFunc of a route. It checks method and access, serves the request and counts it.
func (b binding[T]) handler(line route[T]) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		op, err := line.op, b.refuse(line, w, r)
		if err == nil {
			op, err = line.serve(b.target, w, r)
		}
		if op != uncounted {
			b.metrics.Observe(op, outcome(r, err), time.Since(start))
		}
		if err == http.ErrAbortHandler {
			panic(err)
		}
	}
}

// outcome returns the outcome that the metrics count for a request. err is the result of its handler.
func outcome(r *http.Request, err error) stats.Outcome {
	if err != nil && errors.Is(r.Context().Err(), context.Canceled) {
		return stats.Canceled
	}
	return v2.Outcome(err)
}

// refuse answers a request that the route does not allow, and returns an error. It returns nil if the request is allowed.
func (b binding[T]) refuse(line route[T], w http.ResponseWriter, r *http.Request) error {
	if line.methods != anyMethod && !allows(line.methods, r.Method) {
		w.Header().Set("Allow", line.methods)
		refuseMethod(w)
		return errMethod
	}
	if line.access == scriptsGuarded {
		if err := b.crossOrigin.Check(r); err != nil {
			b.refuseOtherOrigin(w, err)
			return errOtherOrigin
		}
	}
	return nil
}

func refuseMethod(w http.ResponseWriter) {
	http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
}

// allows reports whether a comma-separated list contains the method.
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

// routeByPath makes the router ignore the method: chi itself would refuse an unknown method without an Allow header. It also maps
// the paths of all keys to one route without a wildcard: for a wildcard chi allocates a map.
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

// noScriptPathsOf returns the paths of the routes with noScripts in a table.
func noScriptPathsOf[T any](table []route[T]) []string {
	var paths []string
	for _, line := range table {
		if line.access == noScripts {
			paths = append(paths, line.path)
		}
	}
	return paths
}

// covers reports whether a pattern of a route includes a path.
func covers(pattern, path string) bool {
	base, below := strings.CutSuffix(pattern, "/*")
	return path == base || below && strings.HasPrefix(path, base+"/")
}
