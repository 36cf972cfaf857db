package httpapi

import (
	"net/http"
	"strings"

	"pando/httpapi/budget"
	v2 "pando/httpapi/v2"
	"pando/stats"
	"pando/tree"
)

// Limits bound the requests in flight and the open watches of clients. A Server and its Member share them. The zero value has no limits.
type Limits struct {
	requests, watches *budget.Count
}

// NewLimits makes Limits of so many requests and watches, and registers their metrics. It panics when it is called twice with the same
// metrics.
func NewLimits(requests, watches int, metrics *stats.Metrics) Limits {
	l := Limits{
		requests: budget.NewCount(requests, func() { metrics.RequestRefused(stats.RefusedRequests) }),
		watches:  budget.NewCount(watches, func() { metrics.RequestRefused(stats.RefusedWatches) }),
	}
	metrics.Limits(l.requests.Open, requests, l.watches.Open, watches)
	return l
}

// causeTooManyRequests is the cause of the 503 for a request over the limit.
const causeTooManyRequests = "too many requests are in flight (--max-inflight-requests)"

// wrap returns a handler that counts requests and refuses those over the limit. It does not count requests for monitoring.
func (l Limits) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isMonitoring(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		if !l.requests.Begin() {
			w.Header().Set("Retry-After", "1")
			v2.WriteRefusal(w, r, http.StatusServiceUnavailable, tree.NewError(tree.CodeRaftInternal, causeTooManyRequests))
			return
		}
		defer l.requests.End()
		next.ServeHTTP(w, r)
	})
}

// isMonitoring reports whether a path is that of /health, a probe or /metrics. These must be served when there are too many requests, too.
func isMonitoring(path string) bool {
	if strings.HasPrefix(path, "/v2/") { // most requests
		return false
	}
	for _, table := range [][]route[*process]{healthRoutes, metricsRoutes} {
		for i := range table {
			if covers(table[i].path, path) {
				return true
			}
		}
	}
	return false
}
