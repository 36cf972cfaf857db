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

// GRPCMemory counts the bytes that open requests and streams of gRPC, and their responses, have reserved. It is called from any goroutine.
type GRPCMemory struct{ bytes atomic.Int64 }

// GRPCMemory registers the metrics of the memory of gRPC and its limit. It panics when it is called twice.
func (m *Metrics) GRPCMemory(limit int64) *GRPCMemory {
	g := new(GRPCMemory)
	m.registry.MustRegister(
		gauge("pando_grpc_bytes", "Bytes reserved for open requests and streams of gRPC and for their responses; see --max-grpc-bytes.",
			func() float64 { return float64(g.bytes.Load()) }),
		gauge("pando_grpc_bytes_limit", "Limit of pando_grpc_bytes; see --max-grpc-bytes.", func() float64 { return float64(limit) }),
	)
	return g
}

// InFlight adds bytes to the number of reserved bytes. bytes is negative when they are released.
func (g *GRPCMemory) InFlight(bytes int64) { g.bytes.Add(bytes) }

// Overloaded does nothing: RequestRefused counts what was refused.
func (g *GRPCMemory) Overloaded() {}
