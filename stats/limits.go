package stats

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Refusal is the reason why a request was refused before it reached its handler. It is the label reason of the metric.
type Refusal uint8

// The reasons.
const (
	RefusedHost     Refusal = iota // its host is not in --host-whitelist
	RefusedOrigin                  // it is a change from a web page of another origin
	RefusedRequests                // --max-inflight-requests was reached
	RefusedWatches                 // --max-watches was reached
	// Requests of gRPC:
	RefusedGRPCStreams   // --max-concurrent-streams was reached
	RefusedGRPCUnread    // too many responses of the connection wait until the client reads them
	RefusedGRPCAbandoned // too many canceled calls of the connection have not ended yet
	RefusedGRPCHeaders   // the headers exceed --max-header-bytes
	RefusedGRPCMessage   // the message exceeds --max-request-bytes by far
	RefusedGRPCMemory    // --max-grpc-bytes was reached
	RefusedGRPCInflight  // --max-inflight-bytes was reached
	RefusedGRPCSlow      // the client took too long to send a message or a frame
	RefusedGRPCPings     // the client has sent pings faster than --grpc-keepalive-min-time, so the connection was closed
	refusalCount
)

var refusalNames = [refusalCount]string{
	RefusedHost:     "host",
	RefusedOrigin:   "origin",
	RefusedRequests: "inflight_requests",
	RefusedWatches:  "watches",

	RefusedGRPCStreams:   "grpc_streams",
	RefusedGRPCUnread:    "grpc_unread_responses",
	RefusedGRPCAbandoned: "grpc_canceled_calls",
	RefusedGRPCHeaders:   "grpc_headers",
	RefusedGRPCMessage:   "grpc_message",
	RefusedGRPCMemory:    "grpc_bytes",
	RefusedGRPCInflight:  "grpc_inflight_bytes",
	RefusedGRPCSlow:      "grpc_slow_message",
	RefusedGRPCPings:     "grpc_pings",
}

// refusals counts refused requests.
type refusals [refusalCount]atomic.Uint64

func (r *refusals) init(reg prometheus.Registerer) {
	for reason, name := range refusalNames {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "pando_requests_refused_total",
			Help: "Requests that were refused because of their host or origin, or because a limit was reached. " +
				"Those of gRPC include connections that were closed.",
			ConstLabels: prometheus.Labels{"reason": name},
		}, func() float64 { return float64(r[reason].Load()) }))
	}
}

// RequestRefused counts a request that was refused for a reason.
func (m *Metrics) RequestRefused(reason Refusal) { m.refusals[reason].Add(1) }

// PinnedViews registers the metrics of the states of the tree that are pinned for lists (atIndex), and their limit. pinned returns the
// current number, the bytes that they keep in memory, and how many were released early. It is called from any goroutine. PinnedViews
// panics when it is called twice.
func (m *Metrics) PinnedViews(limit int, pinned func() (views int, bytes int64, released uint64)) {
	m.registry.MustRegister(
		gauge("pando_pinned_views", "States of the tree that are pinned for lists (atIndex).", func() float64 {
			views, _, _ := pinned()
			return float64(views)
		}),
		gauge("pando_pinned_views_limit", "Limit of the pinned states; see --max-pinned-views.", func() float64 { return float64(limit) }),
		gauge("pando_pinned_views_bytes", "Estimate of the memory that pinned states keep beyond that of the current state.", func() float64 {
			_, bytes, _ := pinned()
			return float64(bytes)
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "pando_pinned_views_released_total",
			Help: "Pinned states that were released before their time because of --max-pinned-bytes.",
		}, func() float64 {
			_, _, released := pinned()
			return float64(released)
		}),
	)
}

// Limits registers the gauges of the requests in flight and of the open watches, and of their limits. The functions return the current
// numbers. They are called from any goroutine. Limits panics when it is called twice.
func (m *Metrics) Limits(requests func() int64, maxRequests int, watches func() int64, maxWatches int) {
	m.registry.MustRegister(
		gauge("pando_inflight_requests", "Requests of clients in flight, without watches.",
			func() float64 { return float64(requests()) }),
		gauge("pando_inflight_requests_limit", "Limit of the requests in flight; see --max-inflight-requests.",
			func() float64 { return float64(maxRequests) }),
		gauge("pando_watches", "Watches of clients that are open.", func() float64 { return float64(watches()) }),
		gauge("pando_watches_limit", "Limit of the open watches; see --max-watches.", func() float64 { return float64(maxWatches) }),
	)
}
