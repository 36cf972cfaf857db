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
	access  access   // the right that a request needs when auth is enabled
	pages   pages    // the web pages of other origins that may read the responses
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

// right is the right that a request needs while auth is enabled. Package service and package raft/transport check it. The tables only
// document it, and a test compares them with the responses to real requests.
type right int

const (
	undecided  right = iota // an error in a table
	public                  // nothing
	identified              // the credentials are right, or there are none
	byRole                  // a role of the sender has a permission for the key; a request without credentials has the role guest
	root                    // the sender has the role root
	peers                   // the sender is a member of the cluster
)

// access has the rights for reading (GET and HEAD) and for all other methods.
type access struct{ read, change right }

// The accesses of the routes.
var (
	forAll   = access{public, public}
	forSelf  = access{identified, identified}
	forRoles = access{byRole, byRole}
	forRoot  = access{root, root}
	forPeers = access{peers, peers}
	// forAllToRead allows all to read, and root to change.
	forAllToRead = access{public, root}
)

// pages are the web pages of other origins that may read the responses of a route. Changes have other rules: see cors.
type pages int

const (
	listedPages pages = iota // those of the origins of --cors
	noPages                  // none, whatever --cors says
)

var errMethod = errors.New("httpapi: method not allowed")

// binding connects a table of routes with the value whose methods serve it.
type binding[T any] struct {
	target T
	// metrics may be nil if all routes of the table are uncounted.
	metrics *stats.Metrics
}

// mount adds a table of routes to a router.
func mount[T any](r chi.Router, table []route[T], b binding[T]) {
	for _, line := range table {
		r.HandleFunc(line.path, b.handler(line))
	}
}

// handler returns the http.HandlerFunc of a route. It checks the method, serves the request and counts it.
func (b binding[T]) handler(line route[T]) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		op, err := line.op, refuse(w, r, line.methods)
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

// refuse answers a request whose method is not in the list, and returns an error. It returns nil if the method is allowed.
func refuse(w http.ResponseWriter, r *http.Request, methods string) error {
	if methods == anyMethod || allows(methods, r.Method) {
		return nil
	}
	w.Header().Set("Allow", methods)
	refuseMethod(w)
	return errMethod
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

// unreadableOf returns the paths of the routes with noPages in a table.
func unreadableOf[T any](table []route[T]) []string {
	var paths []string
	for _, line := range table {
		if line.pages == noPages {
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
