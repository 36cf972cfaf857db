package stats

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Connections counts what became of the connections to a group of listeners.
type Connections struct {
	refused, failed atomic.Uint64
}

// Refused counts a connection that was closed because its group had no room.
func (c *Connections) Refused() { c.refused.Add(1) }

// Failed counts an error of the system, as from a lack of descriptors, in place of a
// connection.
func (c *Connections) Failed() { c.failed.Add(1) }

// Connections adds the metrics of a group of listeners: how many connections there may
// be, and how many there are. A group is added once.
func (m *Metrics) Connections(group string, limit int, open func() int64) *Connections {
	c := &Connections{}
	r := prometheus.WrapRegistererWith(prometheus.Labels{"listener": group}, m.registry)
	r.MustRegister(
		gauge("pando_connections", "Connections that are open.", func() float64 { return float64(open()) }),
		gauge("pando_connections_limit", "Connections that may be open. It leaves room for the files of the log among the open files.",
			func() float64 { return float64(limit) }),
		counter("pando_connections_refused_total", "Connections that were refused, because as many as may be were open.",
			func() float64 { return float64(c.refused.Load()) }),
		counter("pando_accept_errors_total", "Times that the system gave an error in place of a connection.",
			func() float64 { return float64(c.failed.Load()) }),
	)
	return c
}
