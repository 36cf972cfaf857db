package stats

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
)

// GRPC are the metrics of requests of gRPC. The counters have the names of etcd's, for dashboards that were made for etcd.
type GRPC struct {
	started, handled *prometheus.CounterVec
	duration         *prometheus.HistogramVec
	tooLarge         prometheus.Counter
}

// NewGRPC registers the metrics of requests of gRPC. It panics when it is called twice.
func (m *Metrics) NewGRPC() *GRPC {
	g := &GRPC{
		started: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grpc_server_started_total",
			Help: "Requests of gRPC that have begun, by method.",
		}, []string{"grpc_type", "grpc_service", "grpc_method"}),
		handled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grpc_server_handled_total",
			Help: "Requests of gRPC that have ended, by method and code.",
		}, []string{"grpc_type", "grpc_service", "grpc_method", "grpc_code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "pando_grpc_request_duration_seconds",
			Help:    "Time of a request of gRPC, by method. That of a stream includes its waiting.",
			Buckets: requestBuckets,
		}, []string{"service", "method"}),
		tooLarge: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pando_grpc_responses_too_large_total",
			Help: "Responses of the v3 API in whose place the client got an error, because they exceeded --max-response-bytes.",
		}),
	}
	m.registry.MustRegister(g.started, g.handled, g.duration, g.tooLarge)
	return g
}

// GRPCKind is the kind of a method: the label grpc_type.
type GRPCKind string

// The kinds of methods.
const (
	Unary               GRPCKind = "unary"
	ServerStream        GRPCKind = "server_stream"
	BidirectionalStream GRPCKind = "bidi_stream"
)

// GRPCMethod counts the requests of a method. Its methods may be called from any goroutine. They do not allocate.
type GRPCMethod struct {
	kind          GRPCKind
	service, name string
	metrics       *GRPC

	started  prometheus.Counter
	duration func() prometheus.Observer                                    // made with the first request: it has many lines
	handled  [codes.Unauthenticated + 1]atomic.Pointer[prometheus.Counter] // made with the first request; that of codes.OK at once
}

// Method returns the counters of a method. It must be called once for each method.
func (g *GRPC) Method(service, name string, kind GRPCKind) *GRPCMethod {
	m := &GRPCMethod{
		kind: kind, service: service, name: name, metrics: g,
		started:  g.started.WithLabelValues(string(kind), service, name),
		duration: sync.OnceValue(func() prometheus.Observer { return g.duration.WithLabelValues(service, name) }),
	}
	m.of(codes.OK)
	return m
}

// Started counts a request that begins.
func (m *GRPCMethod) Started() { m.started.Inc() }

// ResponseTooLarge counts a response in whose place the client gets an error, because it exceeds the limit.
func (m *GRPCMethod) ResponseTooLarge() { m.metrics.tooLarge.Inc() }

// Handled counts a request that has ended.
func (m *GRPCMethod) Handled(code codes.Code, took time.Duration) {
	(*m.of(code)).Inc()
	m.duration().Observe(took.Seconds())
}

// of returns the counter of a code.
func (m *GRPCMethod) of(code codes.Code) *prometheus.Counter {
	if int(code) >= len(m.handled) {
		code = codes.Unknown
	}
	if c := m.handled[code].Load(); c != nil {
		return c
	}
	c := m.metrics.handled.WithLabelValues(string(m.kind), m.service, m.name, code.String())
	m.handled[code].Store(&c)
	return &c
}
