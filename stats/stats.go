// Package stats counts what a member does, for /v2/stats/* and for /metrics.
//
// Server, Leader and StoreSnapshot are the three bodies under /v2/stats, in the
// field order and with the omissions of etcd 3.4, plus Reads, the counters of
// gets. Metrics is what Prometheus scrapes.
//
// Every method may be called from any goroutine. Counting is cheap enough for
// the way of a request: it allocates nothing and waits for nothing but, in
// Server and Leader, a short lock of its own. The package reads no clock; what
// needs the time gets a now function, which should carry a monotonic reading as
// time.Now does. Nothing here is durable, and nothing here decides anything:
// losing a count loses a number on a page.
//
// Members are named by their raft IDs; the bodies show them in hexadecimal.
package stats

import (
	"encoding/json"
	"strconv"
)

// hexID is a member ID as the bodies show it: lower-case, without padding.
func hexID(id uint64) string { return strconv.FormatUint(id, 16) }

// encode writes a body. What is passed to it holds strings and finite numbers
// only, so that there is nothing JSON can't say.
func encode(body any) []byte {
	data, _ := json.Marshal(body)
	return data
}
