package stats

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Connections counts the connections that a group of listeners did not serve: refused and failed ones.
type Connections struct {
	refused, failed atomic.Uint64
}

// Refused counts a connection that was closed because the limit of its group was reached.
func (c *Connections) Refused() { c.refused.Add(1) }

// Failed counts an error of accept, as when there are no free file descriptors.
func (c *Connections) Failed() { c.failed.Add(1) }

// Connections registers the metrics of a group of listeners, and returns the counters of that group. open must return the
// number of open connections; it is called from any goroutine. Connections panics when it is called twice for a group.
func (m *Metrics) Connections(group string, limit int, open func() int64) *Connections {
	c := &Connections{}
	r := prometheus.WrapRegistererWith(prometheus.Labels{"listener": group}, m.registry)
	r.MustRegister(
		gauge("pando_connections", "Connections that are open.", func() float64 { return float64(open()) }),
		gauge("pando_connections_limit", "Limit of open connections. It leaves file descriptors for the log and the checkpoint.",
			func() float64 { return float64(limit) }),
		counter("pando_connections_refused_total", "Connections that were refused because the limit was reached.",
			func() float64 { return float64(c.refused.Load()) }),
		counter("pando_accept_errors_total", "Errors of accept, as when there are no free file descriptors.",
			func() float64 { return float64(c.failed.Load()) }),
	)
	return c
}
