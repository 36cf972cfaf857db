package stats

import "sync/atomic"

// inflight counts what slow and large clients cost.
type inflight struct {
	bytes      atomic.Int64
	stalled    atomic.Uint64
	overloaded atomic.Uint64
}

func (m *Metrics) initInflight() {
	m.registry.MustRegister(
		gauge("pando_inflight_bytes", "Bytes that large requests and answers hold at the moment; see --max-inflight-bytes.",
			func() float64 { return float64(m.inflight.bytes.Load()) }),
		counter("pando_inflight_refused_total", "Requests and streams that found no room in --max-inflight-bytes.",
			func() float64 { return float64(m.inflight.overloaded.Load()) }),
		counter("pando_stalled_clients_total", "Connections that were closed because the client took nothing for --client-stall-timeout.",
			func() float64 { return float64(m.inflight.stalled.Load()) }),
	)
}

// InFlight counts bytes that are held from now on, or, below zero, no more.
func (m *Metrics) InFlight(bytes int64) { m.inflight.bytes.Add(bytes) }

// Overloaded counts a request or a stream that found no room.
func (m *Metrics) Overloaded() { m.inflight.overloaded.Add(1) }

// Stalled counts a client that took nothing.
func (m *Metrics) Stalled() { m.inflight.stalled.Add(1) }
