// Package stats counts what a member does, for /v2/stats/* and for /metrics.
//
// Server, Leader and StoreSnapshot are the three response bodies under /v2/stats, in the field order and with the omissions of
// etcd 3.4; Reads are the counters of gets. Metrics are what Prometheus scrapes.
//
// Every method may be called from any goroutine. To count allocates nothing and takes no lock, except for a short one in Server
// and Leader, so it does not slow a request down. The package does not read the clock: callers pass durations, or a now function,
// whose times must have a monotonic reading as those of time.Now have. The counts are not durable, and no other package depends
// on them.
//
// Members are identified by their raft IDs; the bodies show them in hexadecimal.
//
// # Files
//
//   - self.go, leader.go, store.go: the bodies under /v2/stats; rate.go: the rates in self.go
//   - metrics.go: Metrics, with the metrics of disk and proposals; requests.go, gauges.go, inflight.go, connections.go, consistency.go,
//     audit.go, certificates.go, grpc.go, history.go, leases.go, limits.go, logins.go and mirror.go: the metrics of one subject each
//   - build.go: the versions of the program and of the API
package stats

import (
	"encoding/json"
	"strconv"
)

// hexID returns a member ID as the bodies show it: in lower case, without padding.
func hexID(id uint64) string { return strconv.FormatUint(id, 16) }

// encode returns the JSON of a body. It can't fail: bodies have strings and finite numbers only.
func encode(body any) []byte {
	data, _ := json.Marshal(body)
	return data
}
