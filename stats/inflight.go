package stats

import "sync/atomic"

// inflight has the metrics of large requests and responses, and of slow clients.
type inflight struct {
	bytes      atomic.Int64
	stalled    atomic.Uint64 // clients that were cut off
	overloaded atomic.Uint64 // requests and streams for which no bytes were free
}

func (m *Metrics) initInflight() {
	m.registry.MustRegister(
		gauge("pando_inflight_bytes", "Bytes reserved for large requests and responses; see --max-inflight-bytes.",
			func() float64 { return float64(m.inflight.bytes.Load()) }),
		counter("pando_inflight_refused_total", "Requests and streams for which no bytes of --max-inflight-bytes were free.",
			func() float64 { return float64(m.inflight.overloaded.Load()) }),
		counter("pando_stalled_clients_total", "Clients that were cut off because they read nothing for --client-stall-timeout.",
			func() float64 { return float64(m.inflight.stalled.Load()) }),
	)
}

// InFlight adds bytes to the number of reserved bytes. bytes is negative when they are released.
func (m *Metrics) InFlight(bytes int64) { m.inflight.bytes.Add(bytes) }

// Overloaded counts a request or a stream for which no bytes were free.
func (m *Metrics) Overloaded() { m.inflight.overloaded.Add(1) }

// Stalled counts a client that was cut off because it read nothing.
func (m *Metrics) Stalled() { m.inflight.stalled.Add(1) }
